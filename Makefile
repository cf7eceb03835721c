.PHONY: setup demo test check lock

setup:
	@setup/setup.sh

demo: setup
	@.venv/bin/python -m demo $(ARGS)

test: setup check
	@setup/test.sh $(ARGS)

check: setup
	@setup/check.sh

lock: setup
	@setup/lock.sh $(ARGS)
