"""The texts of the pages: catalogues, wording, template filters, and the cache of rendered forms."""
