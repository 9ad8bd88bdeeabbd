from packages.models.catalogue import Package
from packages.models.prices import PriceComponent, PriceVersion, TopUpOffer

__all__ = ["Package", "PriceComponent", "PriceVersion", "TopUpOffer"]
