"""What runs beside the devices."""
