"""How each format is made of a plan, one a file, behind `interface.Exporter`."""
