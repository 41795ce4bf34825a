SELECT hash_key FROM service
