"""The tables of the translation: which form knows which inputs, and where in a policy or a claim each of them goes.

Earlier shapes go before later ones. A new kind of case is a new row here, and a form if none has its order.
"""

from __future__ import annotations

from tests.golden.shapes_other import OTHER
from tests.golden.shapes_prc import PRC
from tests.golden.shapes_property import COMMERCIAL, HOME
from tests.golden.translate import Shape

SHAPES: tuple[Shape, ...] = (*COMMERCIAL, *HOME, *PRC, *OTHER)
