"""A party's half of attestation: what evidence it accepts of the dealer, and how it checks it.

Nothing here is part of the dealer's program. What the two halves share, evidence as it
travels, claims and the codes of refusals, is in ``dealer``, since it is measured there;
so this folder imports ``dealer``, and ``dealer`` never imports it.
"""
