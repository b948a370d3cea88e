"""Power, cooling, climate, carbon, water and cost of a site."""

from dcsim.facility.plan import FacilityPlan
from dcsim.facility.power import SupplyBank
from dcsim.facility.site import Facility
from dcsim.facility.summary import FacilitySummary, Headroom

__all__ = ["Facility", "FacilityPlan", "FacilitySummary", "Headroom", "SupplyBank"]
