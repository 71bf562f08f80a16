"""Configuration of the Superset that `make check-superset` starts; never of one that people use."""

import os

SECRET_KEY = os.environ["TRUEUP_SUPERSET_SECRET"]
SQLALCHEMY_DATABASE_URI = os.environ["TRUEUP_SUPERSET_METADATA"]
# Nothing listens: the check asks the application in its own process.
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
CONTENT_SECURITY_POLICY_WARNING = False
