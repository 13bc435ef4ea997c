"""TOML files whose keys are all known: read, checked with one sentence, written with comments.

What ``party`` and ``job`` have in common. A key that nobody knows is refused; what is
wrong with a file is said at once and in words.
"""

from __future__ import annotations

import ast
import inspect
import json
import linecache
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from securexgb.boost.params import TrainingParams, declarations
from securexgb.channel.keys import check_name
from securexgb.channel.probe import split_address
from securexgb.errors import SecureXGBError, UsageError
from securexgb.storage.trouble import refuse_machine


def _address(value: str) -> str:
    split_address(value)
    return value


def _place(value: object) -> object:
    """A path, or an address where it is written as one."""
    return Path(value) if isinstance(value, str) and "://" not in value else value


Address = Annotated[str, AfterValidator(_address)]
Place = Annotated[Path | str, BeforeValidator(_place)]
Name = Annotated[str, AfterValidator(check_name)]
Column = Annotated[str, Field(min_length=1)]


class TomlFile(BaseModel):
    """What both files have in common: frozen, and nothing in it that is not known.

    The docstring below a key is its comment in the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


_Model = TypeVar("_Model", bound=TomlFile)


def read_toml(path: Path) -> dict[str, Any]:
    """The keys and values of a file; UsageError where it cannot be read or is no TOML.

    A mark of the byte order, which editors of some systems write, is no part of the text.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        refuse_machine("read", path, error)
        raise UsageError(
            f"cannot read {path}: {error}; `securexgb init` and `job new` write one"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None


def validate(model: type[_Model], values: Mapping[str, Any], source: str) -> _Model:
    """The checked model, or one sentence about everything that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        wrong = [_sentence(item["loc"], item["msg"], item["type"]) for item in error.errors()]
        raise UsageError(f"{source}: {'; '.join(wrong)}") from None
    except SecureXGBError as error:
        raise UsageError(f"{source}: {error}") from None


def rebased(settings: _Model, folder: Path) -> _Model:
    """The same with every relative path, of tables within, too, from the file's folder."""
    moved = {name: _moved(getattr(settings, name), folder) for name in type(settings).model_fields}
    return settings.model_copy(update=moved)


def _moved(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, TomlFile):
        return rebased(value, folder)
    if isinstance(value, tuple):
        return tuple(_moved(one, folder) for one in value)
    if isinstance(value, Mapping):
        return {name: _moved(one, folder) for name, one in value.items()}
    return value


def _sentence(place: tuple[int | str, ...], text: str, kind: str) -> str:
    where = ".".join(str(part) for part in place)
    if kind == "extra_forbidden":
        return f"there is no key {where!r}"
    if kind == "missing":
        return f"{where} is missing"
    text = text.removeprefix("Value error, ")
    return f"{where}: {text[:1].lower()}{text[1:]}" if where else text


def to_toml(
    model: TomlFile, left_out: Mapping[str, TomlFile] = MappingProxyType({}), within: str = ""
) -> str:
    """Every key with its comment; those that are not set are commented out.

    ``left_out``: what a table that is not set may look like, by its name. ``within``: the name
    of the table that these keys are of, with a dot; empty for the file itself.
    """
    lines: list[str] = []
    tables: list[str] = []
    said = comments(type(model))
    for name in type(model).model_fields:
        value, comment = getattr(model, name), f"\n# {said[name]}\n"
        table, title = left_out.get(name), f"[{within}{name}]"
        if value is None and table is not None:
            lines_of = to_toml(table, within=f"{within}{name}.").strip("\n").split("\n")
            commented = "\n".join(
                line if line.startswith("# ") or not line else f"# {line}" for line in lines_of
            )
            tables.append(f"{comment}# {title}\n{commented}\n")
        elif isinstance(value, TrainingParams):
            tables.append(f"{comment}{title}\n{_training_toml(value)}")
        elif isinstance(value, TomlFile):
            tables.append(f"{comment}{title}{to_toml(value, within=f'{within}{name}.')}")
        else:
            lines.append(comment + _line(name, value))
    return "".join(lines + tables)


@cache
def comments(model: type[TomlFile]) -> Mapping[str, str]:
    """The docstring below each key, by the key's name.

    Read from the source when a file is written: pydantic would read it whenever a command starts,
    which takes longer than all else about these classes.
    """
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        for key, below in pairwise(_lines(one)):
            match key, below:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                    found[name] = " ".join(text.split())
    return found


def _lines(model: type) -> Sequence[ast.stmt]:
    """What stands in one of these classes, by the source of its module; nothing of others."""
    if not issubclass(model, TomlFile):
        return ()
    for node in _source(inspect.getfile(model)):
        if isinstance(node, ast.ClassDef) and node.name == model.__name__:
            return node.body
    return ()


@cache
def _source(path: str) -> Sequence[ast.stmt]:
    return ast.parse("".join(linecache.getlines(path))).body


def _commented(text: str) -> str:
    lines = text.strip("\n").split("\n")
    return "".join(f"{line if line[:1] in ('', '#') else f'# {line}'}\n" for line in lines)


def _training_toml(params: TrainingParams) -> str:
    known = declarations()
    return "".join(
        f"# {known[name].help}\n{_line(name, value)}" for name, value in params.to_mapping().items()
    )


def _line(name: str, value: Any) -> str:
    if value is None or value == {}:
        return f"# {name} =\n"
    return f"{name} = {_toml(value)}\n"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    # TOML's basic strings take JSON's escapes, but for the delete character.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
