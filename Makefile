# pg_apm: built with PGXS.  `make demo` and `make test` are the two commands of
# a newcomer; `make && make install && make installcheck` is the plain way.

EXTENSION = pg_apm
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" pg_apm.control)

MODULE_big = pg_apm
OBJS = $(sort $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c)))
DATA = $(filter-out sql/pg_apm--$(EXTVERSION).sql,$(wildcard sql/pg_apm--*.sql))
DATA_built = sql/pg_apm--$(EXTVERSION).sql
HEADERS = src/plugin/pg_apm_plugin.h

REGRESS = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --load-extension=pg_apm
ISOLATION = $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=pg_apm
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl

PG_CPPFLAGS = -Isrc
# Files without server headers: unit tests and fuzzers compile them alone.
PURE = src/json/reader.c src/json/number.c src/json/text.c src/types/hex.c src/types/selftime.c \
	src/envelope/framing.c src/envelope/decode*.c src/spanset/spanset*.c \
	src/sketch/sketch*.c src/sketch/hll*.c src/breakdown/breakdown*.c \
	src/metrics/grammar.c src/metrics/columns.c src/metrics/vitals.c src/metrics/span_facts.c src/alerts/state.c \
	src/trace/tree.c src/trace/bar.c src/store/normalize*.c src/store/cron.c src/store/cut.c src/store/measure.c src/store/infer.c
# Names such as json_object are exported by the server too: bind ours to ours.
SHLIB_LINK += -Wl,-Bsymbolic
EXTRA_CLEAN = test/unit/bin test/fuzz/bin results regression.diffs regression.out output_iso tmp_check tmp_check_iso

PG_CONFIG ?= pg_config
ifneq ($(filter demo demo-% test bench bench-% unit unit-% fuzz reference help,$(MAKECMDGOALS)),)
NO_PGXS = 1
endif
ifndef NO_PGXS
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# PGXS tracks no headers.
$(OBJS): $(wildcard src/*.h src/*/*.h)
src/pg_apm.o: pg_apm.control
endif

sql/pg_apm--$(EXTVERSION).sql: $(sort $(wildcard sql/install/*.sql)) pg_apm.control
	cat $(sort $(wildcard sql/install/*.sql)) > $@

include test/unit/unit.mk
include test/fuzz/fuzz.mk

# Needs a database with the extension; PGHOST and PGDATABASE say which.
reference:
	psql -XAtq -v ON_ERROR_STOP=1 -f scripts/reference.sql >docs/reference.md

demo demo-psql demo-stop demo-clean:
	@bash scripts/demo.sh $@

test:
	@bash scripts/test.sh

# SIZE=10000000 REPS=5; BASE=1000000 for bench-large.
bench bench-large:
	@bash scripts/bench.sh $@

help:
	@echo 'make demo          install what is missing, start a private server, show the product'
	@echo 'make demo-psql     psql on the server of the demo'
	@echo 'make demo-stop     stop it; make demo-clean removes it'
	@echo 'make test          install what is missing, run every test'
	@echo 'make bench         measure beside peers, write docs/benchmarks.md; SIZE=10000000 rows'
	@echo 'make bench-large   measure how cost grows, plot it; BASE=1000000 rows'
	@echo 'make               build for $$PG_CONFIG (pg_config); make install installs'
	@echo 'make installcheck  regression, isolation and TAP tests on a running server'
	@echo 'make unit          unit tests of the parts without a server'
	@echo 'make fuzz          fuzzes the same parts, FUZZ_SECONDS=60 each'

.PHONY: reference demo demo-psql demo-stop demo-clean test bench bench-large help
