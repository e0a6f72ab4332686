"""Nouns that exist without any policy: resource ids, resources, clusters, the scope tree, states, diagnostics."""
