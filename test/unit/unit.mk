# Unit tests of the pure cores: one program for each test/unit/*_test.c, built
# without the server (APM_STANDALONE), run under UBSan and ASan.
UNIT_CC ?= $(shell command -v clang || command -v gcc)
UNIT_CFLAGS = -g -O1 -std=gnu99 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -DAPM_STANDALONE -Isrc
UNIT_TESTS = $(sort $(patsubst test/unit/%_test.c,%,$(wildcard test/unit/*_test.c)))
# The pure files of src/, linked into every unit test.
PURE_SRCS = $(wildcard $(PURE))

unit-programs: $(patsubst %,test/unit/bin/%,$(UNIT_TESTS))

unit: $(patsubst %,test/unit/bin/%,$(UNIT_TESTS))
	@failed=0; passed=0; for t in $^; do \
	  if $$t; then passed=$$((passed+1)); else failed=$$((failed+1)); echo "FAILED $$t"; fi; done; \
	echo "unit: $$passed passed, $$failed failed"; test $$failed = 0

test/unit/bin/%: test/unit/%_test.c $(PURE_SRCS) $(wildcard src/*.h src/*/*.h test/unit/*.h)
	@mkdir -p test/unit/bin
	$(UNIT_CC) $(UNIT_CFLAGS) -o $@ $< $(PURE_SRCS) -ljansson -lm

.PHONY: unit unit-programs
