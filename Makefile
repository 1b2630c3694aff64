# SPDX-License-Identifier: Apache-2.0
# seerdb: `make help` lists the targets.

# The engine's modules, bottom to top.  This is the source list and the layer rule: a
# module includes only modules listed above it.
ENGINE := \
  base/status base/pin base/mem base/buf base/coding base/hash base/codec base/rand base/arena \
  os/sync os/thread os/clock os/file os/memfs os/faultfs \
  table/key table/keycode table/iter table/block table/table_writer table/table_reader \
  table/merge_iter \
  log/frame log/wal log/manifest \
  tree/memtable tree/version tree/fold \
  db/state db/job db/batch db/read db/write db/flush db/recover db/db
# The SQLite side, bottom to top.
EXT := errmap bytes value keycodec rowcodec args plan handles table txn cursor update funcs module

BUILD ?= build
CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
SAN ?=
WERROR ?=

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
  -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wcast-qual -Wundef -Wvla \
  -Wformat=2 -Wimplicit-fallthrough -fno-common $(WERROR)
SAN_address := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_thread := -fsanitize=thread -fno-omit-frame-pointer
OUR_CFLAGS := -std=c11 -fPIC -fvisibility=hidden -pthread $(WARN) $(SAN_$(SAN)) -MMD -MP -Iengine
OUR_LIBS := -lzstd -pthread -lm

ENGINE_OBJ := $(patsubst %,$(BUILD)/engine/%.o,$(basename $(wildcard $(ENGINE:%=engine/%.c))))
ENGINE_OBJ := $(patsubst $(BUILD)/engine/engine/%,$(BUILD)/engine/%,$(ENGINE_OBJ))
EXT_OBJ := $(patsubst ext/%.c,$(BUILD)/ext/%.o,$(wildcard $(EXT:%=ext/%.c)))
EXT_CORE_OBJ := $(EXT_OBJ:$(BUILD)/ext/%=$(BUILD)/ext-core/%)
UNIT_TESTS := $(patsubst engine/%.c,$(BUILD)/engine/%,$(wildcard $(ENGINE:%=engine/%_test.c) engine/db/*_test.c))
EXT_TESTS := $(patsubst ext/%.c,$(BUILD)/ext/%,$(wildcard ext/*_test.c))

.PHONY: all loadable static help
all: loadable static ## build the extension and the library

loadable: seerdb.so ## build seerdb.so, the loadable extension
static: $(BUILD)/libseerdb.a ## build libseerdb.a: the engine alone, for C programs

$(BUILD)/libseerdb.a: $(ENGINE_OBJ)
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/seerdb.map: seerdb.def
	@mkdir -p $(@D)
	{ echo '{ global:'; sed -n 's/^ *\([A-Za-z_][A-Za-z0-9_]*\)$$/  \1;/p' $< | grep -v EXPORTS; echo 'local: *; };'; } > $@

$(BUILD)/seerdb.so: $(EXT_OBJ) $(ENGINE_OBJ) $(BUILD)/seerdb.map
	$(CC) $(CFLAGS) $(SAN_$(SAN)) $(LDFLAGS) -shared -Wl,--version-script=$(BUILD)/seerdb.map -Wl,-z,defs \
	  -o $@ $(EXT_OBJ) $(ENGINE_OBJ) $(OUR_LIBS)

seerdb.so: $(BUILD)/seerdb.so
	cp $< $@

$(BUILD)/engine/%.o: engine/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -c -o $@ $<

$(BUILD)/ext/%.o: ext/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -Iext -c -o $@ $<

$(BUILD)/engine/%_test: engine/%_test.c engine/test.h $(BUILD)/libseerdb.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -o $@ $< $(BUILD)/libseerdb.a -lcmocka $(OUR_LIBS)

# The same sources compiled into a program instead of loaded: unit tests call them so.
$(BUILD)/ext-core/%.o: ext/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -DSQLITE_CORE -Iext -c -o $@ $<

$(BUILD)/ext/%_test: ext/%_test.c engine/test.h $(EXT_CORE_OBJ) $(BUILD)/libseerdb.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(OUR_CFLAGS) -DSQLITE_CORE -Iext -o $@ $< $(EXT_CORE_OBJ) $(BUILD)/libseerdb.a \
	  -lcmocka -lsqlite3 $(OUR_LIBS)

.PHONY: unit
unit: $(UNIT_TESTS) $(EXT_TESTS) ## build and run the unit tests of every module
	@for t in $^; do echo "== $$t"; $$t || exit 1; done

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
