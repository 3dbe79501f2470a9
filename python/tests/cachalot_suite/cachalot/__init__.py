"""The name `cachalot`, led to Kogia, so that cachalot's own tests run against it."""
