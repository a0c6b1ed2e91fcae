-- Owner: depot. The model that a run was started with; `model` is what the provider says it took.
ALTER TABLE completions ADD COLUMN asked_model TEXT;
