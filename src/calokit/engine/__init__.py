"""Work cut into tasks and run by many processes, of this machine or of a Dask cluster."""
