# make            the module for the installed nginx: $(MODULE)
# make demo       the whole way of an image, once, with everything it needs
# make run        the same servers in the foreground, until Ctrl-C
# make test       all tests; one of them: make test TESTS=t/NAME.t
# make asan       an nginx and the module under sanitizers
# make asan-test  the suites under them; one: make asan-test SUITES=t/NAME.t
# make fuzz       each fuzz target for FUZZ_SECONDS
# make interop    against the real Dragonfly: DRAGONFLY_SCHEDULER= and DFDAEMON=
# make bench      the table of figures of docs/benchmark.md; with DFCTL= and the
#                 two above against dfctl, too
# make screenshots  the pictures of the console in docs/images
# make install    the module and the files that users include (DESTDIR)
# make deps       Debian's packages for the above; the others call it too

SHELL = /bin/bash

BUILD = build
MODULE = $(BUILD)/ngx_http_dfpreheat_module.so

NGINX = $(BUILD)/nginx
ASAN = $(BUILD)/asan
ASAN_NGINX = $(ASAN)/nginx
ASAN_MODULE = $(ASAN)/ngx_http_dfpreheat_module.so
FAILING = $(ASAN)/failing_malloc.o

DEPS = gcc libc6-dev make nginx nginx-dev libhiredis-dev libjansson-dev \
       libssl-dev libprotobuf-c-dev protobuf-c-compiler redis-server redis-tools docker-registry skopeo curl jq \
       openssl procps ca-certificates libtest-base-perl python3-grpcio
TEST_DEPS = aria2 wget libnginx-mod-http-lua libnginx-mod-http-headers-more-filter \
            prometheus python3-venv chromium chromium-driver python3-pip \
            containerd buildah docker.io podman
ASAN_DEPS = $(TEST_DEPS) valgrind
FUZZ_DEPS = clang libclang-rt-14-dev
BENCH_DEPS = wrk python3 g++ libgrpc++-dev

WARN = -W -Wall -Wpointer-arith -Wno-unused-parameter -Wshadow -Werror
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all \
           -fno-omit-frame-pointer

FOLDERS = $(filter-out %/lua,$(shell find src -type d))
INCLUDES = $(FOLDERS:%=-I%)
PURE = $(wildcard src/lib/*/*.c)
PROTO = $(patsubst proto/%.proto,$(BUILD)/proto/%.pb-c.c,$(wildcard proto/*))
HEADERS = $(wildcard $(FOLDERS:=/*.h))
UNITS = $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/*.c))
FUZZERS = $(patsubst t/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard t/fuzz/*.c))

# The slowest begin first, so that none of them is alone at the end.
SLOW = $(patsubst %,t/%.t,memory keep console-jobs console events signed-files \
         scheduler scheduler-faults pulls keep-several keep-end verify definition \
         peers-unreachable peers-hung webhook webhook-several example-cluster \
         example-registries mirror-clients \
         peers-scheduler contract push rate \
         peers peers-list peers-tls fair several-returns several-faults \
         peers-credentials \
         several cache-loss faults peers-faults altered secrets \
         cache configurations reload \
         events-all wait where scheduler-origin scheduler-credentials harbor \
         dry-run peers-shared clusters resets subjects)
SUITES = $(SLOW) $(filter-out $(SLOW),$(wildcard t/*.t))
INTEROP = $(wildcard t/interop/*.t)
TESTS = $(SUITES) $(wildcard t/runner/selftest/*.t) $(UNITS)
# suites wait more than they work
JOBS = $(shell expr 5 \* $$(nproc) / 2)
# suites in which no nginx runs, or that other suites make up for, or that are
# mostly the work of another program
PLAIN = $(patsubst %,t/%.t,00-layers 02-documents config console \
          console-jobs contract demo example-cluster example-huggingface \
          example-registries fair mirror-clients scripts \
          scripts-counts scripts-events \
          scripts-hooks scripts-keep scripts-members scripts-tokens)

FUZZ_SECONDS = 20
FUZZ_SEED = 0          # 0: another way through the inputs each time

all: module

.PHONY: all module units deps demo run test asan asan-test fuzz fuzz-deps interop
.PHONY: bench install
.PHONY: screenshots clean
.PHONY: FORCE
.DELETE_ON_ERROR:
.SECONDARY:

deps:
	@tools/deps.sh $(DEPS)


# The module. nginx's own Makefile knows what has to be compiled again, so it
# is always asked; configure runs when the list of files, nginx-dev or an option
# changes.

module: $(MODULE)

# What is made into C each time, for the nginx in folder 1.

EMBED = src/redis/lua/embed.sh src/api/embed.sh

embed = src/redis/lua/embed.sh src/redis/lua \
            $(1)/objs/dfpreheat/ngx_dfp_lua.h \
        && src/api/embed.sh docs/openapi.yaml \
            $(1)/objs/dfpreheat/ngx_dfp_document.c

$(BUILD)/inputs: FORCE | deps
	@mkdir -p $(BUILD)
	@new=$@.$$$$; \
	{ ls *.c && find src -name '*.[ch]' | sort && cat proto/* \
	    && dpkg-query -W nginx-dev && grep -e --with- Makefile; } > $$new \
	    || exit 1; \
	if cmp -s $$new $@; then rm $$new; else mv $$new $@; fi

$(NGINX)/objs/Makefile: config $(EMBED) $(BUILD)/inputs
	rm -rf $(NGINX)
	cp -r /usr/share/nginx/src $(NGINX)
	cd $(NGINX) && . ./conf_flags && ./configure "$${NGX_CONF_FLAGS[@]}" \
	    --with-cc-opt="-O2 -g -fstack-protector-strong -Wshadow \
	                   -D_FORTIFY_SOURCE=2" \
	    --with-ld-opt="-Wl,-z,relro -Wl,-z,now" \
	    --add-dynamic-module=$(CURDIR) > configure.log \
	    || { tail -20 configure.log; exit 1; }

$(MODULE): FORCE $(NGINX)/objs/Makefile
	@$(call embed,$(NGINX))
	@$(MAKE) --no-print-directory -s -j2 -C $(NGINX) -f objs/Makefile modules
	@cmp -s $(NGINX)/objs/$(@F) $@ \
	    || install -m 755 $(NGINX)/objs/$(@F) $@


# The same from nginx's complete sources, with every pool block a malloc block
# of its own, so that the address sanitizer sees each. nginx itself hands null
# pointers with a length of 0 to memcpy(), adds 0 to them, shifts the first byte
# of an address (DNS) into the sign, and on x86 stores integers where they are
# not aligned (HTTP/2 frames): its own files are spared these checks, the
# module's are not. Memory ends where a suite says so (failing_malloc.c). A
# module that is unloaded before the process ends would have no names in a report
# of a leak (nodelete).

NGINX_UB = -fno-sanitize=nonnull-attribute,pointer-overflow,alignment,shift

asan: $(ASAN_MODULE)

$(ASAN_NGINX)/configure: tools/nginx-source.sh
	tools/nginx-source.sh $(ASAN_NGINX)
	touch $@

$(ASAN_NGINX)/objs/Makefile: $(ASAN_NGINX)/configure $(FAILING) config \
                             $(EMBED) $(BUILD)/inputs
	cd $(ASAN_NGINX) && ./configure --prefix=$(CURDIR)/$(ASAN) \
	    --with-compat --with-debug --with-threads --with-http_ssl_module \
	    --with-http_v2_module --with-http_slice_module \
	    --with-http_auth_request_module --with-http_gunzip_module \
	    --with-http_sub_module \
	    --with-http_stub_status_module --with-http_realip_module \
	    --with-cc-opt="-O1 -g -Wshadow -DNGX_DEBUG_PALLOC=1 $(SANITIZE)" \
	    --with-ld-opt="$(SANITIZE) -Wl,-z,nodelete -Wl,--wrap=malloc \
	                   -Wl,--wrap=posix_memalign $(CURDIR)/$(FAILING)" \
	    --add-dynamic-module=$(CURDIR) > configure.log \
	    || { tail -20 configure.log; exit 1; }

$(FAILING): tools/failing_malloc.c
	@mkdir -p $(@D)
	@$(CC) $(WARN) -O0 -g -fPIC -fno-omit-frame-pointer -c -o $@ $<
	@rm -f $(ASAN_NGINX)/objs/nginx

$(ASAN_MODULE): FORCE $(ASAN_NGINX)/objs/Makefile
	@$(call embed,$(ASAN_NGINX))
	@cd $(ASAN_NGINX) && $(MAKE) --no-print-directory -s -j2 \
	    -f objs/Makefile binary \
	    CFLAGS="$$(sed -n 's/^CFLAGS = //p' objs/Makefile) $(NGINX_UB)"
	@$(MAKE) --no-print-directory -s -j2 -C $(ASAN_NGINX) \
	    -f objs/Makefile modules
	@cmp -s $(ASAN_NGINX)/objs/$(@F) $@ \
	    || install -m 755 $(ASAN_NGINX)/objs/$(@F) $@


# Tests. The in-tree runner stands in where perl has no Test::Nginx::Socket.

PROVE = TEST_NGINX_RANDOMIZE=1 prove --timer -j$(JOBS) -It/lib \
        $$(perl -MTest::Nginx::Socket -e 1 2>/dev/null || echo -It/runner)
SLOWEST = perl t/lib/slowest.pl

# schemathesis, for t/contract.t, and huggingface_hub

VENV = $(BUILD)/venv/made

$(VENV): t/contract/requirements.txt t/huggingface/requirements.txt
	@tools/deps.sh $(TEST_DEPS)
	@echo "$(@D)"
	@rm -rf $(@D)
	@python3 -m venv $(@D)
	@$(@D)/bin/pip install -q --disable-pip-version-check --no-deps \
	    $(addprefix -r ,$^)
	@touch $@

units: $(UNITS)

test: module units $(VENV)
	@tools/deps.sh $(TEST_DEPS)
	@set -o pipefail; TEST_NGINX_LOAD_MODULES=$(CURDIR)/$(MODULE) \
	    $(PROVE) $(TESTS) | $(SLOWEST)

# The tests of the plain C are built with the sanitizers anyway, and those of
# the runner need no module. nginx and each of its dynamic modules have tables
# of the same name (odr); workers may belong to another user, who reports too.

REPORTS = $(CURDIR)/$(ASAN)/reports

asan-test: asan module $(VENV)
	@tools/deps.sh $(ASAN_DEPS)
	@rm -rf $(REPORTS) && mkdir -p -m 777 $(REPORTS)
	@export TEST_NGINX_BINARY=$(CURDIR)/$(ASAN_NGINX)/objs/nginx \
	    TEST_NGINX_LOAD_MODULES=$(CURDIR)/$(ASAN_MODULE) \
	    TEST_NGINX_TIMEOUT=10 DFPREHEAT_MEMORY_ENDS=1 \
	    DFPREHEAT_VALGRIND=1 DFPREHEAT_CHAOS=1 \
	    ASAN_OPTIONS=detect_odr_violation=0:malloc_context_size=7 \
	    LSAN_OPTIONS=print_suppressions=0:suppressions=$(CURDIR)/tools/lsan.supp \
	    UBSAN_OPTIONS=print_stacktrace=1 \
	    && ASAN_OPTIONS+=:log_path=$(REPORTS)/asan \
	    && UBSAN_OPTIONS+=:log_path=$(REPORTS)/ubsan \
	    && set -o pipefail && $(PROVE) $(filter-out $(PLAIN),$(SUITES)) \
	        | $(SLOWEST); status=$$?; \
	if [ -n "$$(ls $(REPORTS))" ]; then \
	    cat $(REPORTS)/*; \
	    echo "asan-test: the sanitizers have found something"; \
	    status=1; \
	fi; exit $$status

$(BUILD)/proto/%.pb-c.c: proto/%.proto | deps
	@mkdir -p $(@D)
	@protoc-c --proto_path=proto --c_out=$(@D) $<

$(BUILD)/obj/%.o: src/%.c $(HEADERS) $(PROTO)
	@mkdir -p $(@D)
	@echo "$@"
	@$(CC) $(WARN) -O1 -g $(SANITIZE) $(INCLUDES) -I$(BUILD)/proto -c -o $@ $<

$(BUILD)/obj/%.pb-c.o: $(BUILD)/proto/%.pb-c.c $(PROTO)
	@mkdir -p $(@D)
	@$(CC) $(WARN) -O1 -g $(SANITIZE) -I$(BUILD)/proto -c -o $@ $<

$(BUILD)/unit/%: t/unit/%.c $(wildcard t/unit/*.h) \
                 $(patsubst src/%.c,$(BUILD)/obj/%.o,$(PURE)) \
                 $(patsubst $(BUILD)/proto/%.c,$(BUILD)/obj/%.o,$(PROTO))
	@mkdir -p $(@D)
	@echo "$@"
	@$(CC) $(WARN) -O1 -g $(SANITIZE) $(INCLUDES) -It/unit -o $@ \
	    $(filter %.c %.o,$^) -ljansson -lprotobuf-c -lcrypto


FUZZ_FLAGS = $(WARN) -O1 -g $(SANITIZE) $(INCLUDES) -I$(BUILD)/proto

# What a target finds goes to build/fuzz/NAME.found, what breaks it beside it.

fuzz: $(FUZZERS)
	@for f in $(^F); do \
	    mkdir -p $(BUILD)/fuzz/$$f.found; \
	    echo "fuzz $$f, $(FUZZ_SECONDS) s"; \
	    $(BUILD)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
	        -seed=$(FUZZ_SEED) -print_final_stats=1 \
	        -artifact_prefix=$(BUILD)/fuzz/$$f- \
	        $(BUILD)/fuzz/$$f.found t/fuzz/corpus/$$f \
	        > $(BUILD)/fuzz/$$f.log 2>&1 \
	        || { tail -n 60 $(BUILD)/fuzz/$$f.log; exit 1; }; \
	    grep -e 'executed_units' -e 'peak_rss' $(BUILD)/fuzz/$$f.log; \
	done

$(BUILD)/fuzz/%: t/fuzz/%.c t/fuzz/dfp_fuzz.h \
                 $(patsubst src/%.c,$(BUILD)/fuzz/obj/%.o,$(PURE)) \
                 $(patsubst $(BUILD)/proto/%.c,$(BUILD)/fuzz/obj/%.o,$(PROTO))
	@echo "$@"
	@clang $(FUZZ_FLAGS) -fsanitize=fuzzer -It/fuzz -o $@ \
	    $(filter %.c %.o,$^) -ljansson -lprotobuf-c -lcrypto

$(BUILD)/fuzz/obj/%.o: src/%.c $(HEADERS) $(PROTO) | fuzz-deps
	@mkdir -p $(@D)
	@clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(BUILD)/fuzz/obj/%.pb-c.o: $(BUILD)/proto/%.pb-c.c | fuzz-deps
	@mkdir -p $(@D)
	@clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

fuzz-deps:
	@tools/deps.sh $(FUZZ_DEPS)


demo: module
	@demo/demo.sh

run: module
	@exec demo/run.sh

# The real Dragonfly, whose binaries nobody packages. Without them there is
# nothing to build either: the script says what it wants.

interop: $(if $(and $(DRAGONFLY_SCHEDULER),$(DFDAEMON)),module)
	@TEST_NGINX_LOAD_MODULES=$(CURDIR)/$(MODULE) \
	    DRAGONFLY_SCHEDULER='$(DRAGONFLY_SCHEDULER)' \
	    DFDAEMON='$(DFDAEMON)' prove -v $(INTEROP)


bench: module
	@tools/deps.sh $(BENCH_DEPS)
	@DRAGONFLY_SCHEDULER='$(DRAGONFLY_SCHEDULER)' DFDAEMON='$(DFDAEMON)' \
	    DFCTL='$(DFCTL)' bench/run

screenshots: module
	@tools/deps.sh $(TEST_DEPS)
	@prove tools/screenshots.pl

install: module
	install -D -m 644 $(MODULE) \
	    $(DESTDIR)/usr/lib/nginx/modules/$(notdir $(MODULE))
	install -D -m 644 -t $(DESTDIR)/etc/nginx conf/*.conf
	install -D -m 644 -t $(DESTDIR)/usr/share/dfpreheat/console console/*
	install -D -m 644 -t $(DESTDIR)/etc/nginx/examples conf/examples/*.conf
	install -D -m 644 -t $(DESTDIR)/etc/nginx/examples/cluster \
	    conf/examples/cluster/*.conf
	install -D -m 644 -t $(DESTDIR)/etc/nginx/examples/registries \
	    conf/examples/registries/*.conf

clean:
	rm -rf $(BUILD) t/servroot*
