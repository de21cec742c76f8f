"""The methods of the family `artefact`: each takes the files whose worst issue is of its kind."""
