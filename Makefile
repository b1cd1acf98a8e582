# Ticketing backend. `make help` lists what there is to do.
#
# Everything compiles from the repository root, so that each #include shows its layer. One object tree per variant:
#   make                 build/release   what runs in production
#   make VARIANT=asan    build/asan      AddressSanitizer + UndefinedBehaviorSanitizer
#   make VARIANT=tsan    build/tsan      ThreadSanitizer (the thread stress program only)
#   make VARIANT=fault   build/fault     release with crash points (shared/base/fault.h), for tests/chaos only
#   make fuzz            build/fuzz      libFuzzer with both sanitizers (clang)

VARIANT ?= release
OUT     := build/$(VARIANT)
CC      ?= gcc

COMPONENTS := event-svc booking-svc booking-worker
PACKAGES   := libpq hiredis librabbitmq libuv yajl libqrencode libpng libcurl openssl libmicrohttpd zlib

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Werror
CPPFLAGS += -I. -DH2O_USE_LIBUV=0 -D_GNU_SOURCE $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PACKAGES) 2>/dev/null))
# What hardens the binaries; tests/integration/67_hardening.sh looks for each in what was built.
HARDENED := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
CFLAGS   += -std=gnu11 -g -fno-omit-frame-pointer $(HARDENED) -pthread $(WARNINGS)
LDFLAGS  += -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack
LDLIBS   += -lh2o-evloop $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm

ifeq ($(VARIANT),release)
CFLAGS += -O2 -D_FORTIFY_SOURCE=2
else ifeq ($(VARIANT),asan)
CFLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(VARIANT),tsan)
CFLAGS += -O1 -fsanitize=thread
LDFLAGS += -fsanitize=thread
else ifeq ($(VARIANT),fault)
CFLAGS += -O2 -D_FORTIFY_SOURCE=2
CPPFLAGS += -DTK_FAULTS
else ifeq ($(VARIANT),fuzz)
CC      := clang
CFLAGS  += -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=address,undefined
else
$(error VARIANT is release, asan, tsan, fault or fuzz)
endif

# --- sources --------------------------------------------------------------------------------------------------------

SHARED_SRC := $(filter-out shared/tests/%,$(wildcard shared/*/*.c))
SHARED_LIB := $(OUT)/libtk.a
src_of      = $(filter-out $(1)/tests/% %/verify_main.c,$(wildcard $(1)/*.c $(1)/*/*.c))
obj_of      = $(patsubst %.c,$(OUT)/%.o,$(1))
BINARIES   := $(foreach c,$(COMPONENTS),$(if $(wildcard $(c)/main.c),$(OUT)/$(c)/$(c)))
VERIFY_BIN := $(OUT)/booking-worker/verify
TEST_BINS  := $(foreach c,shared $(COMPONENTS) tests/chaos,$(if $(wildcard $(c)/tests/*.c),$(OUT)/$(c)/unit-tests))
TSAN_BIN   := $(OUT)/shared/tests/stress/threads

.PHONY: all help verify unit integration sim chaos chaos-night chaos-programs fuzz fuzz-targets test asan tsan lint format docs-assets deps config-docs bench bench-quick bench-full bench-plots clean
all: $(BINARIES) $(VERIFY_BIN) ## the programs, into build/release; `make` does the same

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Other flags, other objects.
FLAGS_SEEN := $(OUT)/flags
$(shell mkdir -p $(OUT) && echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' | cmp -s - $(FLAGS_SEEN) || \
        echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' >$(FLAGS_SEEN))

$(OUT)/%.o: %.c $(FLAGS_SEEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(SHARED_LIB): $(call obj_of,$(SHARED_SRC))
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^

# Files baked in with TK_EMBED: rebuild the object that embeds them.
$(OUT)/event-svc/main.o $(OUT)/event-svc/adapters/schema.o: $(wildcard event-svc/migrations/*.sql event-svc/openapi.json)
$(OUT)/booking-svc/main.o $(OUT)/booking-svc/adapters/schema.o: $(wildcard booking-svc/migrations/*.sql booking-svc/openapi.json)

define component_rules
$(OUT)/$(1)/$(1): $(call obj_of,$(call src_of,$(1))) $(SHARED_LIB)
	$$(CC) $$(LDFLAGS) $$^ $$(LDLIBS) -o $$@

$(OUT)/$(1)/unit-tests: $(call obj_of,$(wildcard $(1)/tests/*.c) shared/tests/openapi_checks.c) $(filter-out $(OUT)/$(1)/main.o,$(call obj_of,$(call src_of,$(1)))) $(SHARED_LIB)
	$$(CC) $$(LDFLAGS) $$^ $$(LDLIBS) -lcriterion -o $$@
endef
$(foreach c,$(COMPONENTS),$(eval $(call component_rules,$(c))))

# The worker's second program: all of the worker but its main.
$(VERIFY_BIN): $(OUT)/booking-worker/verify_main.o $(filter-out $(OUT)/booking-worker/main.o,$(call obj_of,$(call src_of,booking-worker))) $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(OUT)/shared/unit-tests: $(call obj_of,$(wildcard shared/tests/*.c)) $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcriterion -o $@

$(OUT)/shared/tests/stress/%: $(OUT)/shared/tests/stress/%.o $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(OUT)/bench/loadgen: $(call obj_of,$(wildcard bench/*.c)) $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ -lm -o $@

$(OUT)/tests/slow/slow_clients: $(OUT)/tests/slow/slow_clients.o $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ -lm -o $@

$(OUT)/tests/restarts/restarts: $(OUT)/tests/restarts/restarts.o $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ -lm -o $@

# The simulator links the services' pure machines, and nothing else of theirs.
SIM_SRC := $(wildcard tests/sim/*.c $(foreach c,$(COMPONENTS),$(c)/domain/*.c))
$(OUT)/tests/sim/sim: $(call obj_of,$(SIM_SRC)) $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# tests/chaos: the driver with its clients and its checker, and the proxy it puts between any two processes.
CHAOS_PROGRAMS := $(foreach p,driver proxy shuffler,$(OUT)/tests/chaos/$(p))
CHAOS_SRC      := $(filter-out %/proxy.c %/shuffler.c,$(wildcard tests/chaos/*.c)) bench/connection.c
$(OUT)/tests/chaos/driver: $(call obj_of,$(CHAOS_SRC)) $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(OUT)/tests/chaos/unit-tests: $(call obj_of,$(wildcard tests/chaos/tests/*.c) $(filter-out %/main.c,$(CHAOS_SRC))) $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcriterion -o $@

$(OUT)/tests/chaos/shuffler: $(call obj_of,tests/chaos/shuffler.c tests/chaos/plan.c) $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(OUT)/tests/chaos/proxy: $(OUT)/tests/chaos/proxy.o $(SHARED_LIB)
	$(CC) $(LDFLAGS) $^ -o $@

# The fuzz targets: parsers only, so neither loop nor database is compiled for them.
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(OUT)/%,$(wildcard tests/fuzz/*.c))
FUZZ_SRC     := $(wildcard shared/base/*.c shared/json/*.c shared/contract/*.c shared/log/*.c shared/auth/*.c) \
                shared/http/router.c shared/http/text.c shared/http/address.c shared/mq/url.c shared/redis/url.c \
                booking-svc/domain/qr_payload.c event-svc/domain/fields.c
FUZZ_LIB     := build/fuzz/libparsers.a
$(FUZZ_LIB): $(patsubst %.c,build/fuzz/%.o,$(FUZZ_SRC))
	rm -f $@ && ar rcs $@ $^

build/fuzz/%: build/fuzz/tests/fuzz/%.o $(FUZZ_LIB)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer $^ $(LDLIBS) -o $@

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

# --- checks ---------------------------------------------------------------------------------------------------------

unit: $(TEST_BINS) ## unit tests (Criterion)
	deploy/run-unit-tests.sh $(TEST_BINS)

integration: all ## integration tests against a private stack on free ports
	./test_integration.sh --private

SEEDS ?= 30000
FROM  ?= 1
JOBS  ?= $(shell nproc)
sim: $(OUT)/tests/sim/sim ## the simulator: 30,000 worlds (SEEDS, FROM, JOBS), then rules broken on purpose
	$< --suite --from $(FROM) --seeds $(SEEDS) --jobs $(JOBS)

chaos: ## three minutes of faults against a private stack; SEED=N repeats a schedule
	tests/chaos/run.sh --with crash $(if $(SEED),--seed $(SEED))

chaos-night: ## the same for half an hour
	tests/chaos/run.sh --with crash --seconds 1800 $(if $(SEED),--seed $(SEED))

chaos-programs: $(CHAOS_PROGRAMS)

# Seconds for each target; 0: the committed corpus only. A finding stays below build/fuzz and is named.
FUZZ_SECONDS ?= 60
fuzz: ## every parser under libFuzzer: FUZZ_SECONDS=60 for each
	$(MAKE) --no-print-directory VARIANT=fuzz fuzz-targets
	tests/fuzz/run.sh $(FUZZ_SECONDS) build/fuzz

fuzz-targets: $(FUZZ_TARGETS)

test: ## everything from nothing: packages, build, unit tests, simulator, faults, fuzzing, integration tests
	deploy/run-tests.sh

asan: ## the same, without the fuzzing, under AddressSanitizer and UndefinedBehaviorSanitizer
	VARIANT=asan deploy/run-tests.sh

tsan: ## threads and queues under ThreadSanitizer
	$(MAKE) VARIANT=tsan build/tsan/shared/tests/stress/threads
	build/tsan/shared/tests/stress/threads

lint: ## clang-format, clang-tidy, layer check, shellcheck
	deploy/lint.sh

format: ## rewrites the sources in the house style
	clang-format -i $$(git ls-files '*.c' '*.h')

verify: all ## do both databases agree? those of the running stack, or DATABASE_URL=… EVENT_DATABASE_URL=…
	deploy/verify.sh $(ARGS)

config-docs: all ## docs/CONFIG.md again from the programs' setting tables
	deploy/config-docs.sh > docs/CONFIG.md

docs-assets: ## Swagger UI from npm, for /docs
	deploy/docs-assets.sh

bench-quick: ## W1, W3, W5, R1, R2 in about 85 seconds
	bench/run.sh quick

bench: ## every workload but G1, a quarter of an hour
	bench/run.sh standard

bench-full: ## everything, with millions of rows
	bench/run.sh full

bench-plots: ## docs/img/*.svg from the figures of the last run
	bench/plots.sh

clean: ## removes what was built
	rm -rf build
