"""Real clients of providers that trueup itself does not call, against a loopback provider: `make check-clients`.

Apart from `make test`: five clients and what they bring would treble trueup's own environment.
"""
