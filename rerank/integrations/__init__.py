"""whyrec inside other frameworks' applications, and their models inside whyrec."""
