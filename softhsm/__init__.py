"""Installing and provisioning the test HSM."""
