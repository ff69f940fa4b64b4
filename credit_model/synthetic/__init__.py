"""The synthetic city: records of people who do not exist, and their true risk apart from them."""
