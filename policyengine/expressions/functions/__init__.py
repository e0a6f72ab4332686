"""The function table: one family a module, every function one row, looked up by its folded name."""

from policyengine.expressions.functions.arrays import ARRAYS
from policyengine.expressions.functions.base import Calling, Function
from policyengine.expressions.functions.dates import DATES
from policyengine.expressions.functions.encoding import ENCODING
from policyengine.expressions.functions.hashing import HASHING
from policyengine.expressions.functions.ids import IDS
from policyengine.expressions.functions.logic import LOGIC
from policyengine.expressions.functions.networks import NETWORKS
from policyengine.expressions.functions.numbers import NUMBERS
from policyengine.expressions.functions.objects import OBJECTS
from policyengine.expressions.functions.places import PLACES
from policyengine.expressions.functions.strings import STRINGS

FUNCTIONS = {
    function.name.casefold(): function
    for family in (STRINGS, ARRAYS, OBJECTS, NUMBERS, LOGIC, DATES, ENCODING, HASHING, NETWORKS, IDS, PLACES)
    for function in family
}

__all__ = ["FUNCTIONS", "Calling", "Function"]
