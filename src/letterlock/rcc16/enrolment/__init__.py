"""Getting and keeping a certificate and key packages."""
