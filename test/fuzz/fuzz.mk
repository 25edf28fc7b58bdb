# Fuzzing of the pure cores: `make fuzz FUZZ_SECONDS=n` builds every
# test/fuzz/NAME_fuzz.c (libFuzzer, ASan, UBSan) and runs each for n seconds.
# Seeds: test/fuzz/seeds/NAME/ and test/data/envelopes/; tokens: test/fuzz/NAME.dict.
# What a run learns stays in test/fuzz/corpus/NAME/, inputs that fail are kept
# as test/fuzz/findings/NAME-*.  FUZZ="a b" picks harnesses.
FUZZ_SECONDS ?= 60
FUZZ ?= $(sort $(patsubst test/fuzz/%_fuzz.c,%,$(wildcard test/fuzz/*_fuzz.c)))
FUZZ_CC ?= clang
FUZZ_CFLAGS = -g -O1 -std=gnu99 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -DAPM_STANDALONE -Isrc -Itest/unit
FUZZ_FLAGS ?= -max_len=8192 -timeout=10 -rss_limit_mb=2048

fuzz: $(patsubst %,test/fuzz/bin/%,$(FUZZ))
	@mkdir -p test/fuzz/findings; failed=; \
	for name in $(FUZZ); do \
	  mkdir -p test/fuzz/corpus/$$name; dirs=; dict=; \
	  for d in test/fuzz/seeds/$$name test/data/envelopes; do test ! -d $$d || dirs="$$dirs $$d"; done; \
	  test ! -f test/fuzz/$$name.dict || dict=-dict=test/fuzz/$$name.dict; \
	  echo "fuzz: $$name for $(FUZZ_SECONDS) s"; \
	  if test/fuzz/bin/$$name $(FUZZ_FLAGS) $$dict -max_total_time=$(FUZZ_SECONDS) \
	    -artifact_prefix=test/fuzz/findings/$$name- test/fuzz/corpus/$$name $$dirs \
	    > test/fuzz/bin/$$name.log 2>&1; \
	  then grep '^Done' test/fuzz/bin/$$name.log; \
	  else failed="$$failed $$name"; tail -n 40 test/fuzz/bin/$$name.log; fi; \
	done; \
	if test -n "$$failed"; then echo "fuzz: FAILED:$$failed"; exit 1; fi

test/fuzz/bin/%: test/fuzz/%_fuzz.c $(PURE_SRCS) $(wildcard src/*.h src/*/*.h test/unit/*.h)
	@mkdir -p test/fuzz/bin
	$(FUZZ_CC) $(FUZZ_CFLAGS) -o $@ $< $(PURE_SRCS) -ljansson -lm

.PHONY: fuzz
