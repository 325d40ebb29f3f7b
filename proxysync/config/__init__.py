"""The file and the settings from the environment; knows no NPM and no network."""
