"""``securexgb job``: the terms that both sides agree on, and their digest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from securexgb.align.normalise import STEPS
from securexgb.attestation.policy import Policy
from securexgb.boost.leak import Floors, bits_a_tree
from securexgb.cli.membership import parameters
from securexgb.cli.options import (
    AlgorithmOption,
    PositiveOption,
    SplitsOption,
    split_names,
    toml_value,
    write_new,
)
from securexgb.cli.output import Format, FormatOption, result
from securexgb.errors import UsageError
from securexgb.jobs.estimating.words import auc_line
from securexgb.report.text import splits_line
from securexgb.terms.job import JobTerms

app = typer.Typer(help="The terms of a job.", no_args_is_help=True)

ParamOption = Annotated[list[str] | None, typer.Option(help="A training parameter, as NAME=VALUE.")]
ReceiverOption = Annotated[
    str, typer.Option(help="Who learns predictions: label, feature or both.")
]
ExportOption = Annotated[
    str, typer.Option(help="Who may get the whole model, if anybody: label, feature or both.")
]
PredictionOption = Annotated[
    str, typer.Option(help="How scores are computed: transfers, or ckks (in hundredths).")
]
TrainingRowsOption = Annotated[int, typer.Option(help="Training on fewer rows is refused.")]
EvaluationRowsOption = Annotated[int, typer.Option(help="Evaluating fewer rows is refused.")]
OfflineOption = Annotated[
    str | None,
    typer.Option(
        help="Correlated randomness: two-party (no third side), or dealt (a dealer). "
        "Default: two-party, but dealt with ss or with --dealer-policy."
    ),
]
PolicyOption = Annotated[
    Path | None, typer.Option(help="The policy that the dealer's evidence must meet.")
]


KeysOption = Annotated[
    str | None,
    typer.Option(help="Columns by which `align` finds the rows that both have, by comma."),
]
StepsOption = Annotated[
    str | None,
    typer.Option(help=f"What is done with the keys first, by comma: {', '.join(STEPS)}."),
]
CommonOption = Annotated[
    int | None, typer.Option(help="An alignment with fewer rows in common stops. [default: 1000]")
]


@app.command()
def new(
    name: Annotated[str, typer.Option(help="The job's name.")],
    label_party: Annotated[str, typer.Option(help="Name of the side with the labels.")],
    feature_party: Annotated[str, typer.Option(help="Name of the side with columns only.")],
    param: ParamOption = None,
    id_column: Annotated[str | None, typer.Option(help="Column of the rows' ids.")] = None,
    align_keys: KeysOption = None,
    normalise: StepsOption = None,
    min_common: CommonOption = None,
    positive_label: PositiveOption = None,
    predictions_to: ReceiverOption = "label",
    prediction: PredictionOption = "transfers",
    export_to: ExportOption = "none",
    min_training_rows: TrainingRowsOption = Floors.training_rows,
    min_evaluation_rows: EvaluationRowsOption = Floors.evaluation_rows,
    algorithm: AlgorithmOption = "hybrid",
    offline: OfflineOption = None,
    he: Annotated[str, typer.Option(help="The scheme of hybrid: bfv or paillier.")] = "bfv",
    splits: SplitsOption = None,
    dealer_name: Annotated[str, typer.Option(help="Name in the dealer's certificate.")] = "dealer",
    dealer_policy: PolicyOption = None,
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("job.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Write a commented job.toml: edit it, and give the same file to the other side."""
    dealer: dict[str, Any] = {"name": dealer_name}
    if dealer_policy is not None:
        policy = Policy.from_file(dealer_policy)
        dealer |= {"evidence": policy.accept, "policy_sha256": policy.sha256.hex()}
    if offline is None:
        offline = "dealt" if dealer_policy is not None or algorithm == "ss" else "two-party"
    terms = JobTerms.from_mapping(
        {
            "name": name,
            "label_party": label_party,
            "feature_party": feature_party,
            "id_column": id_column,
            "align": _align(align_keys, normalise, min_common),
            "positive_label": None if positive_label is None else toml_value(positive_label),
            "predictions_to": predictions_to,
            "prediction": prediction,
            "export_to": export_to,
            "min_training_rows": min_training_rows,
            "min_evaluation_rows": min_evaluation_rows,
            "algorithm": algorithm,
            "offline": offline,
            "he": he,
            "dealer": dealer,
            "training": parameters({"splits": splits}, param or []),
        },
        "the terms",
    )
    write_new(output, terms.to_toml())
    facts = {"file": str(output), "digest": terms.digest, "splits": terms.training.splits}
    text = f"wrote {output}, digest {terms.digest}\n{splits_line(terms.training, terms.export_to)}"
    dear = auc_line(terms.training)
    if dear is not None:
        facts["warning"], text = dear, f"{text}\nwarning: {dear}"
    result(facts, text, form)


def _align(keys: str | None, steps: str | None, min_common: int | None) -> dict[str, Any] | None:
    """The table of the terms; None where there is none."""
    said = {"normalise": split_names(steps), "min_common": min_common}
    given = {name: value for name, value in said.items() if value is not None}
    if keys is None and given:
        raise UsageError("--normalise and --min-common are for an alignment: name --align-keys")
    return None if keys is None else {"keys": split_names(keys), **given}


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="The terms.")] = Path("job.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Show the terms and their ten-letter digest, which both sides must see alike."""
    terms = JobTerms.from_file(path)
    params = terms.training
    is_silent = params.is_hidden and terms.export_to == "none"
    bits = {} if is_silent else bits_a_tree(params)
    facts: dict[str, Any] = {
        "digest": terms.digest,
        "terms": terms.model_dump(mode="json"),
        "bits_a_tree": bits,
    }
    leak = ""
    if bits:
        said = ", ".join(f"{value:,.0f} with {columns}" for columns, value in bits.items())
        leak = (
            f"\na tree opens at worst so many bits about the labels, by the feature party's "
            f"columns: {said}; {params.n_estimators} trees as many times that"
        )
    text = (
        f"digest {terms.digest}\n\n{terms.to_toml()}\n{splits_line(params, terms.export_to)}{leak}"
    )
    result(facts, text, form)
