"""What stands where every model call passes: one log line, one price, one budget, one switch.

Belongs here: the names that applications import. Does not belong here: code. The package needs nothing but the
standard library; it knows neither the warehouse nor any provider's client.
"""

from trueup_middleware.call import Call
from trueup_middleware.gate import Admission, CallIntent, Gate, Refused
from trueup_middleware.meter import Meter

__all__ = ["Admission", "Call", "CallIntent", "Gate", "Meter", "Refused"]
