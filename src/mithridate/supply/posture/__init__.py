"""The project around the model: secrets, dependencies, permissions, unsafe calls, open servers, missing papers."""
