"""The claims check: does a text say what a run can bear?"""

from reports.claims.check import check_claims
from reports.claims.nouns import ClaimResult, Finding, Status

__all__ = ["ClaimResult", "Finding", "Status", "check_claims"]
