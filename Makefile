# SPDX-License-Identifier: MIT
#
# Short commands that call CMake; `make help` lists them. Set on the command line:
#   BUILD    the build tree (default: build)
#   PREFIX   where `make install` puts things (default: /usr/local)
#   DESTDIR  a directory to put before PREFIX, for packagers

BUILD = build
PREFIX ?= /usr/local
override PREFIX := $(patsubst %/,%,$(PREFIX))

JOBS := $(shell nproc)
# CMake and the tests start make too, which must not inherit the options of this one.
ALONE = env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL
COMPILE = $(ALONE) cmake --build
CTEST = $(ALONE) ctest --output-on-failure --no-tests=error --parallel $(JOBS) --test-dir
# A warning is an error in continuous integration only: another compiler may have new ones.
CONFIGURE = cmake -S . -D KHEOPS_TESTS=ON $(if $(CI),-D KHEOPS_WERROR=ON) -B
SHARE = $(DESTDIR)$(PREFIX)/share/kheops-webhooks
DOC = $(DESTDIR)$(PREFIX)/share/doc/kheops-webhooks
MAN = $(DESTDIR)$(PREFIX)/share/man/man8
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
SYSUSERS = $(DESTDIR)$(PREFIX)/lib/sysusers.d
SOURCES = find src tests cmake -name '*.[ch]pp' -print0

.PHONY: all test asan tsan build-test build-asan build-tsan tidy format check-format
.PHONY: fuzz bench build-bench install uninstall deb clean help prove writable-build allowed-prefix

.DEFAULT_GOAL = all
# No target is a file: CMake knows what is up to date, and a path may contain spaces.

writable-build:
	@mkdir -p "$(BUILD)" 2>/dev/null && test -w "$(BUILD)" || \
	    { echo 'make: cannot write to the build tree $(BUILD); name another one: make BUILD=DIRECTORY' >&2; exit 1; }

# Configured without the tests, so that building the program does not need what only the tests use. A
# configured build tree stays as it is.
all: writable-build ## the program, build/kheops-webhooks (the default)
	@test -f "$(BUILD)/cmake_install.cmake" || cmake -S . -B "$(BUILD)" -D KHEOPS_TESTS=OFF
	$(COMPILE) "$(BUILD)" --parallel $(JOBS) --target kheops-webhooks

test: build-test ## build and run all tests
	$(CTEST) "$(BUILD)"

asan: build-asan ## the same under AddressSanitizer and UndefinedBehaviorSanitizer, in build/asan
	$(CTEST) "$(BUILD)/asan"

tsan: build-tsan ## the same under ThreadSanitizer, in build/tsan
	$(CTEST) "$(BUILD)/tsan"

build-test: writable-build ## only build for `make test`; also: build-asan, build-tsan
	$(CONFIGURE) "$(BUILD)"
	$(COMPILE) "$(BUILD)" --parallel $(JOBS)

build-asan: writable-build
	$(CONFIGURE) "$(BUILD)/asan" -D KHEOPS_SANITIZE=address
	$(COMPILE) "$(BUILD)/asan" --parallel $(JOBS)

build-tsan: writable-build
	$(CONFIGURE) "$(BUILD)/tsan" -D KHEOPS_SANITIZE=thread
	$(COMPILE) "$(BUILD)/tsan" --parallel $(JOBS)

bench: ## measure the program and other implementations (scripts/bench)
	BUILD_DIR="$(BUILD)" scripts/bench

build-bench: writable-build # a configured build tree stays as it is
	@test -d "$(BUILD)/tests" || $(CONFIGURE) "$(BUILD)"
	$(COMPILE) "$(BUILD)" --parallel $(JOBS) --target kheops-webhooks bench bench_minimal

fuzz: ## libFuzzer on the parsers, a minute each; `scripts/fuzz --help` says more
	scripts/fuzz

prove: ## compare the count of sql/accelerate.sql with count(*), 100,000 times
	scripts/prove

tidy: all ## clang-tidy over src/; any finding is an error
	find src -name '*.cpp' -print0 | \
	    xargs -0 --max-procs=$(JOBS) --max-args=1 clang-tidy --quiet -p "$(BUILD)"

format: ## clang-format over the sources, in place
	$(SOURCES) | xargs -0 clang-format -i

check-format: ## an error where `make format` would change something
	$(SOURCES) | xargs -0 clang-format --dry-run --Werror

# The units and the manual page contain PREFIX. systemd and mdoc would need other characters quoted, each
# in its own way.
install uninstall: export CHECKED_PREFIX = $(PREFIX)
allowed-prefix:
	@LC_ALL=C; case "$$CHECKED_PREFIX" in \
	    *[!A-Za-z0-9/._+-]* | [!/]*) \
	    printf '%s\n' "make: PREFIX is '$$CHECKED_PREFIX', but must be an absolute path of letters, digits and / . _ + -" >&2; \
	    exit 1 ;; esac

# Builds only if nothing was built, so that `make && sudo make install` builds nothing as root.
install: allowed-prefix ## into DESTDIR and PREFIX
	@test -x "$(BUILD)/kheops-webhooks" || $(MAKE) all
	install -D -m 755 "$(BUILD)/kheops-webhooks" "$(DESTDIR)$(PREFIX)/sbin/kheops-webhooks"
	install -d "$(SHARE)/examples" "$(SHARE)/nginx" "$(SHARE)/sql" "$(SHARE)/systemd" "$(DOC)" "$(UNITS)"
	install -m 644 examples/* "$(SHARE)/examples"
	install -m 644 nginx/*.conf "$(SHARE)/nginx"
	install -m 644 sql/*.sql "$(BUILD)/sql/list_webhooks_accelerated.sql" sql/README.md "$(SHARE)/sql"
	install -m 644 systemd/environment "$(SHARE)/systemd"
	install -D -m 755 scripts/compare -t "$(SHARE)/scripts"
	install -m 644 systemd/kheops-webhooks.* "$(UNITS)"
	install -D -m 644 systemd/sysusers.conf "$(SYSUSERS)/kheops-webhooks.conf"
	install -D -m 644 docs/kheops-webhooks.8 -t "$(MAN)"
	sed -i 's|/usr/local/|$(PREFIX)/|' "$(UNITS)/kheops-webhooks.service" \
	    "$(UNITS)/kheops-webhooks.socket" "$(MAN)/kheops-webhooks.8"
	install -m 644 README.md CHANGELOG.md LICENSE SECURITY.md "$(DOC)"
	install -D -m 644 docs/*.md docs/*.yaml -t "$(DOC)/docs"

# The units of a package, which have the same names, stay as they are.
uninstall: allowed-prefix ## stop and disable the units, and remove what `make install` put there
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ] && [ "$$(systemctl show --property=FragmentPath \
	    --value kheops-webhooks.socket)" = "$(PREFIX)/lib/systemd/system/kheops-webhooks.socket" ]; then \
	    systemctl disable --now kheops-webhooks.socket kheops-webhooks.service; fi
	@test ! -d "$(DESTDIR)/etc/systemd/system" || find "$(DESTDIR)/etc/systemd/system" \
	    -lname '$(PREFIX)/lib/systemd/system/kheops-webhooks.*' -delete
	rm -f "$(DESTDIR)$(PREFIX)/sbin/kheops-webhooks"
	rm -f "$(UNITS)/kheops-webhooks.service" "$(UNITS)/kheops-webhooks.socket"
	rm -f "$(SYSUSERS)/kheops-webhooks.conf"
	rm -f "$(MAN)/kheops-webhooks.8"
	rm -rf "$(SHARE)" "$(DOC)"
	@test -n "$(DESTDIR)" || test ! -d /run/systemd/system || systemctl daemon-reload
	@echo 'Not removed: /etc/kheops-webhooks, /var/lib/kheops-webhooks, the user kheops_webhooks, files in'
	@echo '/etc/nginx, and what SQL files made in the database (sql/*-undo.sql of the sources undo that).'

deb: ## the Debian packages, in build/packages (scripts/package)
	scripts/package

clean: ## remove the build tree
	rm -rf "$(BUILD)"

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile
