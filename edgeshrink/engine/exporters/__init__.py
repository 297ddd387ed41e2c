"""How each format is made of a plan, behind `interface.Exporter`."""
