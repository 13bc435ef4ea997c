"""The public list of the package is as documented, and importing it is cheap."""

import subprocess
import sys

import securexgb


def test_public_names():
    assert securexgb.__all__ == [
        "Federation",
        "SecureXGBClassifier",
        "SecureXGBRegressor",
        "__version__",
        "errors",
        "load_model",
    ]
    for name in securexgb.__all__:
        assert getattr(securexgb, name) is not None
    assert not hasattr(securexgb, "nothing_of_that_name")


def test_importing_the_package_loads_no_library():
    code = (
        "import securexgb, sys;print([m for m in ('numpy', 'grpc', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
