# SPDX-License-Identifier: Apache-2.0
# seerdb: `make help` lists the targets.

# The engine's modules, bottom to top.  This is the source list and the layer rule: a
# module includes only modules listed above it.
ENGINE := \
  base/status base/interrupt base/pin base/mem base/buf base/coding base/hash base/codec base/rand base/arena base/histogram \
  os/sync os/pages os/thread os/clock os/failpoint os/file os/memdata os/memfs os/faultfs os/aheadfs os/countfs \
  table/key table/operands table/hidden table/ranges table/keycode table/vec table/search16 table/block table/iter table/range_iter table/filter \
  table/segments table/learned table/expiries table/cache table/table_format table/table_index \
  table/table_writer table/table_cursor table/table_reader table/table_iter table/table_verify \
  table/merge_iter \
  log/vlog_file log/vlog log/vlog_open log/frame log/wal_recover log/wal log/snapshots log/catalog log/edit log/side log/manifest \
  tree/node tree/memtable tree/memtable_iter tree/version tree/picker tree/adapt tree/run_iter tree/sieve tree/mergeop tree/mergeset tree/gather tree/fold tree/range_fold \
  db/chain db/pending db/meter db/values db/state db/hold db/events db/debt db/sift db/payload db/separate db/job db/spill db/upon db/batch db/encode db/cover db/marked db/snapshot db/view db/row db/merged db/get db/ahead db/read db/estimate db/flush db/land \
  db/aside db/pressure db/write db/txn db/ingest db/rewrite db/vlog_gc db/compact db/recover db/metrics db/inspect db/verify db/resume db/db
# The SQLite side, bottom to top.
EXT := sqlite errmap interrupt bytes encoding value keycodec rowcodec expr compare exactsum mergeop args declare mergecol mergerow increment mergetree reader expire plan decider shadow settings wish handles access \
  hold table mergelist foreground marker sweep txn erase plain ranges memo past cursor newrow update direct find commands funcs health integrity inspect module

BUILD ?= build
CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
SQLITE3 ?= sqlite3
SAN ?=
WERROR ?=
PACKAGES := gcc libc6-dev sqlite3 libsqlite3-dev libzstd-dev libxxhash-dev libcmocka-dev
DEV_PACKAGES := clang clang-format libclang-rt-14-dev universal-ctags

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
  -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wcast-qual -Wundef -Wvla \
  -Wformat=2 -Wimplicit-fallthrough -fno-common $(WERROR)
SAN_address := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_thread := -fsanitize=thread -fno-omit-frame-pointer
# What is loaded is optimised as a whole where the compiler is gcc (LTO= turns it off).
# The objects have plain code, too, and all other programs are linked from that.
LTO ?= $(if $(SAN),,$(shell $(CC) --version 2>&1 | grep -q 'Free Software' && echo -flto=auto))
LTO := $(LTO)
LTO_OBJECTS := $(if $(LTO),$(LTO) -ffat-lto-objects)
OUR_CFLAGS := -std=c11 -fPIC -fvisibility=hidden -pthread -fno-lto $(WARN) $(SAN_$(SAN)) -MMD -MP -Iengine
OUR_LIBS := -lzstd -pthread -lm

# Objects of the engine's tests have failpoints (os/failpoint.h), the product has none:
# only what has points in it is compiled twice.
FAILPOINT := engine/os/failpoint.c
ENGINE_SRC := $(filter-out $(FAILPOINT),$(wildcard $(ENGINE:%=engine/%.c)))
ENGINE_OBJ := $(ENGINE_SRC:%.c=$(BUILD)/%.o)
FAILPOINT_SRC := $(FAILPOINT) $(shell grep -l '"os/failpoint.h"' $(ENGINE_SRC))
FAILPOINT_OBJ := $(FAILPOINT_SRC:%.c=$(BUILD)/failpoints/%.o)
FAILPOINT_ENGINE := $(FAILPOINT_OBJ) $(filter-out $(FAILPOINT_SRC:%.c=$(BUILD)/%.o),$(ENGINE_OBJ))
EXT_SRC := $(wildcard $(EXT:%=ext/%.c))
EXT_OBJ := $(EXT_SRC:%.c=$(BUILD)/%.o)
EXT_CORE_OBJ := $(EXT_SRC:ext/%.c=$(BUILD)/ext-core/%.o)
ENGINE_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard engine/*/*_test.c))
EXT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard ext/*_test.c))
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard engine/*/*_fuzz.c))
ifeq ($(SAN),thread) # these have no threads that meet, and take minutes
FUZZERS :=
ENGINE_TESTS := $(filter-out $(patsubst %,$(BUILD)/engine/%_test,db/rewrite tree/picker tree/run_iter db/oom db/marked_oom db/merge_oom \
  table/merge_iter table/table_reader table/table_cursor table/filter table/block table/range_iter log/manifest log/catalog),$(ENGINE_TESTS))
EXT_TESTS := $(filter-out $(BUILD)/ext/conflict_test,$(EXT_TESTS))
endif
# Those that run once more with every value in the value log.
VALUE_TESTS := $(patsubst %,$(BUILD)/engine/db/%_test,$(if $(filter thread,$(SAN)),marked_crash,crash marked_crash spill_crash oom))
BENCHES := $(filter-out $(BUILD)/engine/bench/%,$(patsubst %.c,$(BUILD)/%,$(wildcard engine/*/*_bench.c)))
BENCH_COMMON := $(BUILD)/engine/bench/data.o $(BUILD)/engine/bench/meter.o \
  $(BUILD)/engine/bench/report.o $(BUILD)/engine/bench/chart.o $(BUILD)/engine/bench/runner.o
BENCH_PROGRAMS := $(BUILD)/engine/bench/engine_bench $(BUILD)/sql-tests/sql_bench
SQL_PROGRAMS := $(addprefix $(BUILD)/sql-tests/,differential battery million kill cuts soak embedded)

.PHONY: check-failpoints engine-mutants all loadable static static-ext deps dev-deps demo test unit unit-built sql sql-built asan tsan tsan-sql locks layers sizes format \
  check-format bench bench-micro fuzz soak battery mutants test-versions test-bindings bindings-deps install clean help
all: loadable static static-ext ## build the extension and the libraries

loadable: seerdb.so ## build seerdb.so, the loadable extension
static: $(BUILD)/libseerdb.a ## build libseerdb.a: the engine alone, for C programs
static-ext: $(BUILD)/libseerdb_sqlite.a ## build libseerdb_sqlite.a: to compile seerdb into a program that has SQLite

deps: ## install what building, testing and the demo need (Debian; as root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES)

dev-deps: deps ## also what the sanitizers and the house checks need
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEV_PACKAGES)

demo: seerdb.so ## load the Debian package index, query it, compare with ordinary tables
	sql-tests/demo demo.db

# ---- building ---------------------------------------------------------------------

$(BUILD)/libseerdb.a: $(ENGINE_OBJ)
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libseerdb_sqlite.a: $(EXT_CORE_OBJ) $(ENGINE_OBJ)
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/failpoints/libseerdb.a: $(FAILPOINT_ENGINE)
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^

# With the whole of os/failpoint: its constructor arms what the environment says.
$(BUILD)/failpoints/seerdb.so: $(EXT_OBJ) $(FAILPOINT_ENGINE) $(BUILD)/seerdb.map
	$(CC) $(CFLAGS) -fno-lto $(SAN_$(SAN)) $(LDFLAGS) -shared -Wl,--version-script=$(BUILD)/seerdb.map \
	  -o $@ $(EXT_OBJ) $(FAILPOINT_ENGINE) $(OUR_LIBS)

$(BUILD)/seerdb.map: seerdb.def
	@mkdir -p $(@D)
	{ echo '{ global:'; sed -n '/^EXPORTS/!s/^ *\([A-Za-z_][A-Za-z0-9_]*\)$$/  \1;/p' $<; \
	  echo 'local: *; };'; } > $@

$(BUILD)/seerdb.so: $(EXT_OBJ) $(ENGINE_OBJ) $(BUILD)/seerdb.map
	$(CC) $(CFLAGS) $(LTO) $(SAN_$(SAN)) $(LDFLAGS) -shared -Wl,--version-script=$(BUILD)/seerdb.map \
	  $(if $(SAN),,-Wl$(,)-z$(,)defs) -o $@ $(EXT_OBJ) $(ENGINE_OBJ) $(OUR_LIBS)
, := ,

seerdb.so: $(BUILD)/seerdb.so
	cp $< $@.new && mv $@.new $@

$(BUILD)/engine/%.o: engine/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) $(LTO_OBJECTS) -c -o $@ $<

$(BUILD)/failpoints/engine/%.o: engine/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -DSDB_FAILPOINTS -c -o $@ $<

$(BUILD)/ext/%.o: ext/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) $(LTO_OBJECTS) -Iext -c -o $@ $<

# The same sources compiled into a program instead of loaded: unit tests call them so.
$(BUILD)/ext-core/%.o: ext/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -DSQLITE_CORE -Iext -c -o $@ $<

$(BUILD)/engine/%_test: engine/%_test.c engine/test.h $(BUILD)/failpoints/libseerdb.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -DSDB_FAILPOINTS -o $@ $< $(BUILD)/failpoints/libseerdb.a -lcmocka $(OUR_LIBS)

$(BUILD)/engine/bench/%_test: engine/bench/%_test.c engine/test.h $(BENCH_COMMON)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -o $@ $< $(BENCH_COMMON) -lcmocka $(OUR_LIBS)

$(BUILD)/engine/%_fuzz: engine/%_fuzz.c engine/fuzz_main.c engine/fuzz.h $(BUILD)/libseerdb.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -MMD -MP,$(OUR_CFLAGS)) -o $@ $< engine/fuzz_main.c \
	  $(BUILD)/libseerdb.a $(OUR_LIBS)

$(BUILD)/engine/%_bench: engine/%_bench.c $(BUILD)/libseerdb.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -o $@ $< $(BUILD)/libseerdb.a $(OUR_LIBS)

$(BUILD)/ext/%_test: ext/%_test.c engine/test.h $(EXT_CORE_OBJ) $(BUILD)/libseerdb.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -DSQLITE_CORE -Iext -o $@ $< $(EXT_CORE_OBJ) \
	  $(BUILD)/libseerdb.a -lcmocka -lsqlite3 $(OUR_LIBS)

$(BUILD)/sql-tests/%: sql-tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -MMD -MP,$(OUR_CFLAGS)) -o $@ $(filter %.c,$^) -lsqlite3 $(OUR_LIBS)
$(BUILD)/sql-tests/differential: $(wildcard sql-tests/differential_*.c sql-tests/generate*.c \
  sql-tests/differential*.h sql-tests/generate*.h) sql-tests/values.h sql-tests/text.h
$(BUILD)/sql-tests/kill: $(wildcard sql-tests/kill_*.c) sql-tests/kill.h
$(BUILD)/sql-tests/embedded: sql-tests/embedded.c $(BUILD)/libseerdb_sqlite.a ext/seerdb_sqlite.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -MMD -MP,$(OUR_CFLAGS)) -Iext -o $@ $< $(BUILD)/libseerdb_sqlite.a \
	  -lsqlite3 $(OUR_LIBS)
# A second file, so that the loader makes a second copy of it.
$(BUILD)/copy-of-seerdb.so: $(BUILD)/seerdb.so
	cp $< $@
$(addprefix $(BUILD)/sql-tests/,commit_bench read_bench merge_bench value_bench): sql-tests/bench_sql.h
$(BUILD)/sql-tests/battery: sql-tests/battery_generate.c sql-tests/battery.h sql-tests/text.h
CUTS := $(addprefix sql-tests/,cuts.c cuts_check.c cuts_past.c cuts_rig.c cuts_model.c disk_vfs.c)
$(BUILD)/sql-tests/cuts: $(CUTS) $(wildcard sql-tests/*.h) $(EXT_CORE_OBJ) $(BUILD)/failpoints/libseerdb.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -MMD -MP,$(OUR_CFLAGS)) -DSQLITE_CORE -DSDB_FAILPOINTS -Iext -o $@ $(CUTS) \
	  $(EXT_CORE_OBJ) $(BUILD)/failpoints/libseerdb.a -lsqlite3 $(OUR_LIBS)

SOAK := $(addprefix sql-tests/,soak.c soak_work.c soak_files.c)
$(BUILD)/sql-tests/soak: $(SOAK) sql-tests/soak.h $(BUILD)/libseerdb.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -MMD -MP,$(OUR_CFLAGS)) -o $@ $(SOAK) $(BUILD)/libseerdb.a -lsqlite3 $(OUR_LIBS)

# ---- tests ------------------------------------------------------------------------
# A suite is a program that writes TAP into a file of $(BUILD)/tap, and that file is a
# target: as many suites run at a time as make may run jobs.  The last line of a target
# with suites counts what is in the files.

TALLY = awk '/^ok /{p++} /^not ok /{f++; print} \
  END{printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0}'
# $(call tap,COMMAND...): a program that dies or says nothing is a failure too.
define tap
	@mkdir -p $(@D)
	@echo "# $(basename $(@F))"; ($(1)) > $@ 2>&1 || echo "not ok - $(basename $(@F)) exited with $$?" >> $@; \
	grep -q '^\(not \)\?ok' $@ || echo "not ok - $(basename $(@F)) ran no test" >> $@; \
	grep -A 30 '^not ok' $@ || true
endef
PARALLEL = $(MAKE) --no-print-directory -j$(shell nproc)
taps_of = $(patsubst %,$(BUILD)/tap/%.tap,$(subst /,-,$(patsubst $(BUILD)/%,%,$(1))))
# Those that take longest begin first: else one of them goes on alone at the end.
first = $(filter $(2),$(1)) $(filter-out $(2),$(1))

test: ## run every test: unit, SQL, differential, kill -9
	@rm -rf $(BUILD)/tap
	@$(PARALLEL) unit
	@$(PARALLEL) sql
	@cat $(BUILD)/tap/*.tap | $(TALLY)

FAILPOINTS_SEEN := $(BUILD)/failpoints/seen
LONG_UNITS := $(patsubst %,$(BUILD)/%_test,ext/interrupt engine/db/aside engine/db/history_model ext/foreground)
UNIT_TAPS := $(call taps_of,$(call first,$(FUZZERS) $(ENGINE_TESTS) $(EXT_TESTS),$(LONG_UNITS))) \
  $(patsubst %.tap,%-values.tap,$(call taps_of,$(VALUE_TESTS)))
unit: $(UNIT_TAPS) $(BUILD)/tap/failpoints.tap ## only the unit tests of every module
unit-built: $(ENGINE_TESTS) $(EXT_TESTS) $(FUZZERS) $(BUILD)/libseerdb.a
	@rm -f $(FAILPOINTS_SEEN)
$(UNIT_TAPS): unit-built
$(BUILD)/tap/%_fuzz.tap:
	$(call tap,$(BUILD)/$(subst -,/,$*)_fuzz)
$(BUILD)/tap/%_test.tap:
	$(call tap,SEERDB_FAILPOINTS_SEEN=$(FAILPOINTS_SEEN) CMOCKA_MESSAGE_OUTPUT=TAP $(BUILD)/$(subst -,/,$*)_test)
$(BUILD)/tap/%_test-values.tap:
	$(call tap,SEERDB_VALUE_LOG=1 CMOCKA_MESSAGE_OUTPUT=TAP $(BUILD)/$(subst -,/,$*)_test)
$(BUILD)/tap/failpoints.tap: $(UNIT_TAPS)
	$(call tap,sql-tests/failpoints $(BUILD) $(FAILPOINTS_SEEN))

check-failpoints: $(BUILD)/libseerdb.a $(BUILD)/seerdb.so ## prove that the product has no failpoints
	sql-tests/failpoints $(BUILD)

SEEDS ?= 1-50
STATEMENTS ?= 300
KILLS ?= 100
CUTS_EACH ?= 100
ROWS ?= 1000000
SOAK_SECONDS ?= 12
EXTENSION = $(abspath $(BUILD)/seerdb.so)
SQL_ENV = SQLITE3="$(SQLITE3)" SEERDB=$(EXTENSION)
# The benches check what they read: a few rows through all of them are a test.
BENCH_SMOKE = --rows 2000 --rounds 1 --fresh yes --out $(BUILD)/bench-smoke --dir $(BUILD)/bench-smoke/data \
  --groups sql-write,sql-read,engine-write,engine-read,engine-ycsb,engine-bytes,index
SQL_SUITES := sql-scripts sql-million sql-differential sql-battery sql-kill sql-cuts sql-bench engine-bench bench-resumes \
  sql-minimiser sql-soak sql-embedded sql-names readme-c
SQL_TAPS := $(SQL_SUITES:%=$(BUILD)/tap/%.tap)
SUITE_sql-scripts = $(SQL_ENV) sql-tests/run
SUITE_sql-differential = $(SQL_ENV) $(BUILD)/sql-tests/differential --extension $(EXTENSION) --seeds $(SEEDS) --statements $(STATEMENTS)
SUITE_sql-battery = $(BUILD)/sql-tests/battery --extension $(EXTENSION) --seeds 1-40 --queries 200
SUITE_sql-minimiser = sql-tests/minimiser $(BUILD)/sql-tests/differential
SUITE_sql-million = $(BUILD)/sql-tests/million --extension $(EXTENSION) --rows $(ROWS)
SUITE_sql-embedded = $(BUILD)/sql-tests/embedded $(EXTENSION) $(abspath $(BUILD)/copy-of-seerdb.so)
SUITE_sql-names = sql-tests/names $(BUILD)
SUITE_readme-c = sql-tests/readme-c "$(CC)"
SUITE_sql-cuts = $(BUILD)/sql-tests/cuts --cuts $(CUTS_EACH)
SUITE_sql-bench = $(BUILD)/sql-tests/sql_bench --extension $(EXTENSION) $(BENCH_SMOKE) && echo "ok - all tables give right answers under the bench"
SUITE_engine-bench = $(BUILD)/engine/bench/engine_bench $(BENCH_SMOKE) && echo "ok - all engines give right answers under the bench"
SUITE_bench-resumes = $(BUILD)/engine/bench/engine_bench $(subst --fresh yes,,$(BENCH_SMOKE)) 2>&1 | grep '^\#' || echo "ok - what the bench has measured it does not measure again"
SUITE_sql-soak = $(SQL_ENV) SEERDB_POINTS=$(abspath $(BUILD)/failpoints/seerdb.so) $(BUILD)/sql-tests/soak --seconds $(SOAK_SECONDS)
SUITE_sql-kill = $(SQL_ENV) SEERDB_POINTS=$(abspath $(BUILD)/failpoints/seerdb.so) $(BUILD)/sql-tests/kill $(KILLS)
sql: $(SQL_TAPS) ## only the tests that type SQL
sql-built: $(BUILD)/seerdb.so $(BUILD)/failpoints/seerdb.so $(BUILD)/copy-of-seerdb.so $(SQL_PROGRAMS) $(BENCH_PROGRAMS)
$(SQL_TAPS): $(BUILD)/tap/%.tap: sql-built
	$(call tap,$(SUITE_$*))
# The benches have one directory.
$(BUILD)/tap/engine-bench.tap: $(BUILD)/tap/sql-bench.tap
$(BUILD)/tap/bench-resumes.tap: $(BUILD)/tap/engine-bench.tap

BATTERY_SEEDS ?= 1-3000
battery: $(BUILD)/seerdb.so $(BUILD)/sql-tests/battery ## query shapes of public suites, a million and a half of them
	$(BUILD)/sql-tests/battery --extension $(EXTENSION) --seeds $(BATTERY_SEEDS) --queries 500
SQLITE_VERSIONS ?=
test-versions: $(BUILD)/seerdb.so $(BUILD)/copy-of-seerdb.so $(EXT_TESTS) \
  $(addprefix $(BUILD)/sql-tests/,differential embedded) ## SQLite 3.38 to the newest, from npm, and builds of it: SQLITE_VERSIONS="3.38 debug", SQLITE_LIB=DIR
	sql-tests/versions $(BUILD) $(SQLITE_VERSIONS)

# CI leaves out the large ones and Node's, which is compiled here with a SQLite of its own.
BINDINGS_SMALL := python3 python3-apsw libdbd-sqlite3-perl tcl libsqlite3-tcl ruby-sqlite3 php-cli php-sqlite3
BINDINGS_LARGE := default-jdk-headless libxerial-sqlite-jdbc-java golang-go golang-github-mattn-go-sqlite3-dev
BINDINGS_NODE := better-sqlite3@12.8.0
bindings-deps: ## install the clients of test-bindings (Debian, as root; Node's with npm)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(BINDINGS_SMALL) $(BINDINGS_LARGE)
ifneq ($(BINDINGS_NODE),)
	command -v npm >/dev/null || \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm libnode-dev
	mkdir -p $(BUILD)/bindings
	npm_config_nodedir=/usr npm install --no-audit --no-fund --prefix $(BUILD)/bindings $(BINDINGS_NODE)
endif

test-bindings: $(BUILD)/seerdb.so ## one scenario in Python, Perl, Tcl, Ruby, PHP, Node, Java, Go: those that are installed
	sql-tests/bindings/run $(BUILD)

# The shell itself is not instrumented: the sanitizer's runtime must come first.
asan: ## unit and SQL tests under the address and undefined-behaviour sanitizers
	@rm -rf $(BUILD)/asan/tap
	ASAN_OPTIONS=detect_leaks=1 $(PARALLEL) BUILD=$(BUILD)/asan SAN=address CFLAGS="-O1 -g" unit
	ASAN_OPTIONS=detect_leaks=0 $(PARALLEL) BUILD=$(BUILD)/asan SAN=address CFLAGS="-O1 -g" \
	  SQLITE3="env LD_PRELOAD=$$($(CC) -print-file-name=libasan.so) $(SQLITE3)" SEEDS=1-10 KILLS=10 ROWS=50000 CUTS_EACH=20 sql
	@cat $(BUILD)/asan/tap/*.tap | $(TALLY)

tsan: ## tests with threads under the thread sanitizer
	@rm -rf $(BUILD)/tsan/tap
	$(PARALLEL) BUILD=$(BUILD)/tsan SAN=thread CFLAGS="-O1 -g" unit
	@cat $(BUILD)/tsan/tap/*.tap | $(TALLY)

tsan-sql: ## the SQL scripts under the thread sanitizer
	$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SAN=thread CFLAGS="-O1 -g" $(BUILD)/tsan/seerdb.so
	SQLITE3="env LD_PRELOAD=$$($(CC) -print-file-name=libtsan.so) $(SQLITE3)" SEERDB=$(abspath $(BUILD)/tsan/seerdb.so) sql-tests/run

# ---- the house ----------------------------------------------------------------------

locks: ## prove lock classes, their order and "no I/O under the state lock" (clang)
	@for f in $(ENGINE_SRC); do \
	  clang -std=c11 -Iengine -fsyntax-only -Wall -Wextra -Wthread-safety -Wthread-safety-beta -Werror $$f || exit 1; \
	done
	@for f in $(FAILPOINT_SRC); do \
	  clang -std=c11 -Iengine -DSDB_FAILPOINTS -fsyntax-only -Wall -Wextra -Wthread-safety -Wthread-safety-beta -Werror $$f || exit 1; \
	done
	@printf '#include "db/state.h"\nvoid f(seerdb *db);\nvoid f(seerdb *db) { sdb_lock_db(&db->lock); (void)sdb_fs_remove(db->fs, "x", 0); sdb_unlock_db(&db->lock); }\n' | \
	  clang -std=c11 -Iengine -fsyntax-only -Wthread-safety -Wthread-safety-beta -Werror -x c - 2>/dev/null && \
	  { echo "the analysis let I/O under LK_DB pass"; exit 1; } || echo "locks: ok"

layers: ## prove that a module includes only modules below it
	@printf '%s\n' $(ENGINE) | awk '{ rank[$$1] = NR; name[NR] = $$1 } \
	  END { for (i = 1; i <= NR; i++) for (e = 0; e < 2; e++) { \
	      file = "engine/" name[i] (e ? ".c" : ".h"); \
	      while ((getline line < file) > 0) if (line ~ /^#include "/) { \
	        split(line, q, "\""); m = q[2]; sub(/\.h$$/, "", m); \
	        if (m == "seerdb") continue; \
	        if (!(m in rank)) { print file ": includes " m ", which is no module"; bad = 1 } \
	        else if (rank[m] > i) { print file ": includes " m ", which lies above it"; bad = 1 } } } \
	    if (bad) exit 1; print "layers: ok" }'
	@! grep -nE '^#include "(base|os|table|log|tree|db)/' ext/*.h $(EXT_SRC)
	@for f in $$(find engine -name '*.c' ! -name '*_test.c' ! -name '*_bench.c' ! -name '*_fuzz.c' ! -name fuzz_main.c \
	    ! -path 'engine/bench/*'); do \
	  case " $(ENGINE_SRC) $(FAILPOINT) " in *" $$f "*) ;; *) echo "$$f is in no list"; exit 1;; esac; done
	@for f in $$(find ext -name '*.c' ! -name '*_test.c'); do \
	  case " $(EXT_SRC) " in *" $$f "*) ;; *) echo "$$f is in no list"; exit 1;; esac; done

sizes: ## functions over 70 lines, files over 800 (needs universal-ctags)
	@find engine ext sql-tests -name '*.c' | xargs ctags -x --c-kinds=f --_xformat='%{end} %n %N %F' | \
	  awk '$$1 - $$2 > 70 { print $$1 - $$2 + 1, $$3, $$4 }' | sort -rn
	@find engine ext sql-tests -name '*.[ch]' | xargs wc -l | awk '$$1 > 800 && $$2 != "total"'

FORMATTED := $(wildcard engine/*.h engine/*/*.[ch] ext/*.[ch] sql-tests/*.[ch])
format: ## clang-format every file
	clang-format -i $(FORMATTED)
check-format:
	@clang-format --dry-run --Werror $(FORMATTED) && echo "format: ok"

# ---- benches ------------------------------------------------------------------------
# Rivals are measured where their packages are installed.  What seerdb.h does not offer yet
# is left out, and comes in when the header does.
BENCH_ROWS ?= 1000000
BENCH_ROUNDS ?= 3
BENCH_GROUPS ?=
BENCH_RIVALS ?=
BENCH_STALL_SECONDS ?= 10
BENCH_DIR ?= $(BUILD)/bench/data
BENCH_ARGS ?=
BENCH_HAVE := $(if $(wildcard /usr/include/rocksdb/c.h /usr/local/include/rocksdb/c.h),rocksdb) \
  $(if $(wildcard /usr/include/leveldb/c.h /usr/local/include/leveldb/c.h),leveldb) \
  $(if $(wildcard /usr/include/lmdb.h /usr/local/include/lmdb.h),lmdb)
BENCH_OF_rocksdb := -DBENCH_ROCKSDB
BENCH_OF_leveldb := -DBENCH_LEVELDB
BENCH_OF_lmdb := -DBENCH_LMDB
BENCH_OFFERED = $(shell grep -q '^int seerdb_compact\>' engine/seerdb.h && echo -DBENCH_SEERDB_COMPACT) \
  $(shell grep -q SEERDB_INDEX_BINARY engine/seerdb.h && echo -DBENCH_SEERDB_INDEXES)
BENCH_ENGINE := $(BUILD)/engine/bench/engine_bench.o $(BUILD)/engine/bench/engine_cases.o \
  $(BUILD)/engine/bench/rival_seerdb.o $(foreach r,$(BENCH_HAVE),$(BUILD)/engine/bench/rival_$(r).o)
# Named after the rivals, so that objects are made again when a package comes or goes.
BENCH_STAMP := $(BUILD)/engine/bench/with$(subst $(eval) ,,$(addprefix -,$(BENCH_HAVE)))
$(BENCH_STAMP):
	@mkdir -p $(@D)
	@rm -f $(BUILD)/engine/bench/with* && touch $@
$(BUILD)/engine/bench/%.o: engine/bench/%.c $(BENCH_STAMP)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) $(foreach r,$(BENCH_HAVE),$(BENCH_OF_$(r))) $(BENCH_OFFERED) -c -o $@ $<
$(BUILD)/engine/bench/engine_bench: $(BENCH_ENGINE) $(BENCH_COMMON) $(BUILD)/libseerdb.a
	$(CC) $(CFLAGS) $(SAN_$(SAN)) $(LDFLAGS) -o $@ $^ $(addprefix -l,$(BENCH_HAVE)) $(OUR_LIBS)
$(BUILD)/sql-tests/sql_bench: sql-tests/sql_bench.c sql-tests/noop.c sql-tests/noop.h $(BENCH_COMMON)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -MMD -MP,$(OUR_CFLAGS)) -o $@ $(filter %.c %.o,$^) -lsqlite3 $(OUR_LIBS)

BENCH_RUN = --rows $(BENCH_ROWS) --rounds $(BENCH_ROUNDS) --out $(BUILD)/bench --dir $(BENCH_DIR) \
  --groups '$(BENCH_GROUPS)' --rivals '$(BENCH_RIVALS)' --stall-seconds $(BENCH_STALL_SECONDS) $(BENCH_ARGS)
bench: $(BENCH_PROGRAMS) $(BUILD)/seerdb.so ## seerdb beside SQLite's tables and other engines: tables and charts in build/bench
	$(BUILD)/sql-tests/sql_bench --extension $(EXTENSION) $(BENCH_RUN)
	$(BUILD)/engine/bench/engine_bench $(BENCH_RUN)

bench-micro: $(BENCHES) $(addprefix $(BUILD)/sql-tests/,commit_bench read_bench merge_bench value_bench) $(BUILD)/seerdb.so ## single parts: ns an operation
	@for b in $(BENCHES); do $$b; done
	$(BUILD)/sql-tests/commit_bench --extension $(EXTENSION)
	$(BUILD)/sql-tests/read_bench --extension $(EXTENSION)
	$(BUILD)/sql-tests/merge_bench --extension $(EXTENSION)
	$(BUILD)/sql-tests/value_bench --extension $(EXTENSION)

FUZZ_TIME ?= 60
fuzz: $(FUZZERS) ## run every fuzz program under libFuzzer for FUZZ_TIME seconds (clang)
	$(MAKE) --no-print-directory CC=clang BUILD=$(BUILD)/fuzz CFLAGS="-O1 -g -fsanitize=fuzzer-no-link" SAN=address $(BUILD)/fuzz/libseerdb.a
	$(foreach f,$(wildcard engine/*/*_fuzz.c),clang -O1 -g $(filter-out -MMD -MP,$(OUR_CFLAGS)) $(SAN_address) \
	  -fsanitize=fuzzer -o $(BUILD)/fuzz/$(basename $(notdir $f)) $f $(BUILD)/fuzz/libseerdb.a $(OUR_LIBS) && \
	  mkdir -p $(BUILD)/fuzz/corpus-$(basename $(notdir $f)) && \
	  $(BUILD)/$(basename $f) -w $(BUILD)/fuzz/corpus-$(basename $(notdir $f)) && \
	  $(BUILD)/fuzz/$(basename $(notdir $f)) -max_total_time=$(FUZZ_TIME) -max_len=100000 -malloc_limit_mb=8192 -artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/corpus-$(basename $(notdir $f)) &&) true

SOAK_OPERATIONS ?= 50000000
SOAK_DIR ?= $(BUILD)/soak
soak: $(SQL_PROGRAMS) $(BUILD)/seerdb.so $(BUILD)/failpoints/seerdb.so ## the long form of the crash tests: hours; goes on where it was ended
	$(SQL_ENV) SEERDB_POINTS=$(abspath $(BUILD)/failpoints/seerdb.so) $(BUILD)/sql-tests/soak --dir $(SOAK_DIR) --operations $(SOAK_OPERATIONS) --cuts $(BUILD)/sql-tests/cuts
	$(BUILD)/sql-tests/cuts --cuts 5000
	$(SQL_ENV) SEERDB_POINTS=$(abspath $(BUILD)/failpoints/seerdb.so) $(BUILD)/sql-tests/kill 500
	$(BUILD)/sql-tests/differential --extension $(EXTENSION) --seeds 1-2000 --statements 500

MUTANT_SEEDS ?= 100
mutants: $(BUILD)/seerdb.so $(BUILD)/sql-tests/differential ## put bugs in: the differential test must find each (minutes)
	sql-tests/mutants -b $(BUILD) -s $(MUTANT_SEEDS)

MUTANT_CASES ?= 100000
engine-mutants: $(BUILD)/engine/db/history_model_test $(BUILD)/seerdb.so ## the same for the engine and its test with all history (minutes)
	sql-tests/mutants -e -b $(BUILD) -s $(MUTANT_CASES)

install: all ## install the extension, the library and its header under PREFIX
	install -d $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/include
	install -m 755 seerdb.so $(DESTDIR)$(PREFIX)/lib/
	install -m 644 $(BUILD)/libseerdb.a $(BUILD)/libseerdb_sqlite.a $(DESTDIR)$(PREFIX)/lib/
	install -m 644 engine/seerdb.h ext/seerdb_sqlite.h $(DESTDIR)$(PREFIX)/include/

clean: ## remove what was built
	rm -rf build seerdb.so

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
