"""The only code that knows Kafka and Faust: the stage runner, its engines, its stored answers. No claim words in it."""
