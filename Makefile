.PHONY: setup
setup:
	@sh local/setup.sh
