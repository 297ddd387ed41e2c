"""The report of a build or a measuring session: terminal, JSON, HTML, model card, manifest. Values in, text out."""
