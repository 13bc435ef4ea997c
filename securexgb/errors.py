"""Every exception that securexgb raises on purpose, its exit code and its help sentence.

    SecureXGBError            1   a bug of ours, if raised bare
      UsageError              2   a flag, a file or a value of the configuration
        NotAvailable          2   asked of a model that does not hold it
        FileError             2   this machine refuses a file: full, broken, too many open
      PeerError               3   the peer or the network between
        PeerGone              3     the other side closed or vanished
        DealerGone            3     the dealer closed or vanished
        ShardGone             3     one of this side's own shards closed or vanished
        PeerTimeout           3     the other side is silent past the deadline
      DataError               4   the rows, columns or labels themselves
      TrustError              5   a certificate, a digest or evidence does not fit
        CertificateRefused    5     wrong pin, wrong name, expired
        TermsDiffer           5     the two sides hold different job terms
        EvidenceRefused       5     the dealer's evidence is not what the terms ask for
      ProtocolDesync          6   the two programs are not at the same message
        MalformedFrame        6     bytes that are no frame of ours, or an oversize one
      StoppedByPeer           7   the other side failed and said so

A message says what happened, at which side, and what to do next. It never
holds a secret value. Where what to do is the same for all errors of a kind and the message
does not say it, ``help`` does; elsewhere it is empty.
"""

from __future__ import annotations


class SecureXGBError(Exception):
    """Root of the tree; ``exit_code`` is what the command line returns."""

    exit_code = 1
    help = "This is a bug in securexgb: please report it with the log of the run."


class UsageError(SecureXGBError, ValueError):
    """A parameter, flag or configuration file is wrong."""

    exit_code = 2
    help = ""


class PortTaken(UsageError):
    """A port where this side is to listen cannot be had."""


class NotAvailable(UsageError, AttributeError):
    """A model was asked for what it does not hold; for Python and scikit-learn, no attribute."""


class FileError(UsageError):
    """This machine does not read or write a file: its disk is full or broken, rights are missing,
    too many files are open."""


class PeerError(SecureXGBError):
    """The other side cannot be reached, or stopped answering."""

    exit_code = 3
    help = "Check that the other side runs and that its address and port are right."


class PeerGone(PeerError):
    """The connection to the other side ended before the job did."""


class DealerGone(PeerError):
    """The connection to the dealer ended before the job did."""

    help = "Check that the dealer runs; a restarted dealer has a new key, so start the job again."


class ShardGone(PeerError):
    """The connection to one of this side's own shards ended before the job did."""

    help = "See why its process ended and start it again, on any machine; then `train --resume`."


class PeerTimeout(PeerError):
    """Nothing arrived from the other side within the deadline."""

    help = "It may be slow or stuck: look at its log, or raise timeout_seconds (at first: wait)."


class NotReady(PeerError):
    """A replica cannot score now, and will be able to: ``retry_seconds`` is a guess of when."""

    retry_seconds = 1.0
    help = "Ask again in a moment; where it lasts, look at both replicas' health."


class UnknownModel(UsageError):
    """A request names a model that the two replicas do not both serve."""


class FeaturesUnavailable(FileError):
    """Own columns cannot be looked up: their file or service does not answer, or not in time."""


class DataError(SecureXGBError, ValueError):
    """The data at one side cannot be used as it is."""

    exit_code = 4
    help = ""


class TrustError(SecureXGBError):
    """Something that has to be trusted is not what was agreed."""

    exit_code = 5
    help = "Do not work around this: find out with the other side why it is so."


class CertificateRefused(TrustError):
    """A certificate is not the pinned one, has another name, or has expired."""


class TermsDiffer(TrustError):
    """The two sides hold different job terms, versions or data layouts."""

    help = ""


class EvidenceRefused(TrustError):
    """The dealer's evidence does not satisfy the terms."""

    help = "Find out why before you go on: docs/dealer.md says what each code in brackets means."


class ProtocolDesync(SecureXGBError):
    """A message arrived that belongs to another step of the protocol."""

    exit_code = 6
    help = "All machines of both sides must run one version of securexgb, on the same terms."


class MalformedFrame(ProtocolDesync):
    """Bytes arrived that are no frame of this protocol."""


class StoppedByPeer(SecureXGBError):
    """The other side failed, and told us so. ``kind``: the name of its error, as it says."""

    exit_code = 7
    kind = ""
    help = "The cause is at the other side: see the error there."
