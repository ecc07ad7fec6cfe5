"""What pages say: catalogues, wording, filters of templates, rendered forms that are kept."""
