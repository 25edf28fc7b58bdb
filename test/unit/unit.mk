# Unit tests of the pure cores: one program for each test/unit/*_test.c, built
# without the server (APM_STANDALONE), run under UBSan and ASan.
UNIT_CC ?= $(shell command -v clang || command -v gcc)
UNIT_CFLAGS = -g -O1 -std=gnu99 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -DAPM_STANDALONE -Isrc
UNIT_TESTS = $(sort $(patsubst test/unit/%_test.c,%,$(wildcard test/unit/*_test.c)))
# The pure files of src/, compiled once and linked into every unit test.
PURE_SRCS = $(wildcard $(PURE))
UNIT_OBJS = $(patsubst src/%.c,test/unit/bin/obj/%.o,$(PURE_SRCS))

unit-programs: $(patsubst %,test/unit/bin/%,$(UNIT_TESTS))

unit: $(patsubst %,test/unit/bin/%,$(UNIT_TESTS))
	@failed=0; passed=0; for t in $^; do \
	  if $$t; then passed=$$((passed+1)); else failed=$$((failed+1)); echo "FAILED $$t"; fi; done; \
	echo "unit: $$passed passed, $$failed failed"; test $$failed = 0

$(UNIT_OBJS): test/unit/bin/obj/%.o: src/%.c $(wildcard src/*.h src/*/*.h)
	@mkdir -p $(@D)
	$(UNIT_CC) $(UNIT_CFLAGS) -c -o $@ $<

test/unit/bin/obj/pure.a: $(UNIT_OBJS)
	@rm -f $@
	ar rcs $@ $^

test/unit/bin/%: test/unit/%_test.c test/unit/bin/obj/pure.a $(wildcard test/unit/*.h)
	$(UNIT_CC) $(UNIT_CFLAGS) -o $@ $< test/unit/bin/obj/pure.a -ljansson -lm

.PHONY: unit unit-programs
