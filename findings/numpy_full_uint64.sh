#!/bin/sh
# numpy: np.full(shape, values, dtype=np.uint64) does not keep integers that np.array(values, np.uint64)
# keeps: it turns the values into float64 on the way.
#
# Seen with numpy 2.4.6 on CPython 3.11, Linux, x86-64. Where a fill value is a tuple or list that mixes
# integers below and from 2^63 on, np.full first makes an array of it without looking at dtype, which is
# float64, and then casts. Expected: the integers, which all fit dtype; or an error. Seen: low bits are
# lost, and 2^64 - 5 becomes 0, with no more than a RuntimeWarning ("invalid value encountered in cast").
# Values that are all below 2^63, or all from it on, are kept.
#
# It matters wherever words of a ring modulo 2^64, hashes or ids are filled in: shares of small negative
# numbers are such words. np.array(values, dtype), np.array and np.broadcast_to are right.
#
# Output seen:
#   numpy 2.4.6: np.full  [1, 2, 0] and [1, 9223372036854779904]
#                np.array [1, 2, 18446744073709551611] and [1, 9223372036854779909]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check "numpy==2.4.6"
cat > "$folder/words.py" <<'PYTHON'
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")
near_top, beyond = (1, 2, 2**64 - 5), (1, 2**63 + 4101)
full = [np.full(len(values), values, np.uint64).tolist() for values in (near_top, beyond)]
array = [np.array(values, np.uint64).tolist() for values in (near_top, beyond)]
print(f"numpy {np.__version__}: np.full  {full[0]} and {full[1]}")
print(f"             np.array {array[0]} and {array[1]}")
sys.exit(array != [list(near_top), list(beyond)] or full == array)
PYTHON
"$folder/env/bin/python" "$folder/words.py"
