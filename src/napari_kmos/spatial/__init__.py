"""The plane of the sky: coordinates, apertures, centroids and resampling."""
