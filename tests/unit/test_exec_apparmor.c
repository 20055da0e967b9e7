/* SPDX-License-Identifier: BSD-3-Clause */
/* What vale-exec says of AppArmor, in a tree that looks like a machine with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../app/exec/exec.h"

static char root[] = "/tmp/vale-apparmor-XXXXXX";

/** A file below the root, and the folders it stands in. */
static void
put(const char *path, const char *text)
{
	char full[768];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
take(const char *path)
{
	char full[768];

	snprintf(full, sizeof(full), "%s%s", root, path);
	unlink(full);
}

static bool
warned(void)
{
	return exec_apparmor_warn(
		root, "/bin/sh", "/usr/local/lib/libvale-netmap.so", "/run/vale/vale.sock");
}

/** /bin/sh, wherever it leads. */
static const char *
profile(const char *folder)
{
	static char path[512];
	char real[256];

	assert_non_null(realpath("/bin/sh", real));
	snprintf(path, sizeof(path), "/etc/apparmor.d/%s%s", folder, real + 1);
	for (char *p = path + strlen("/etc/apparmor.d/") + strlen(folder); *p != '\0'; p++)
		if (*p == '/')
			*p = '.';
	return path;
}

#define ENABLED "/sys/module/apparmor/parameters/enabled"
#define LOADED "/sys/kernel/security/apparmor/profiles"

static int
tree(void **state)
{
	char real[256], loaded[300];

	(void)state;
	assert_non_null(realpath("/bin/sh", real));
	snprintf(loaded, sizeof(loaded), "other (enforce)\n%s (enforce)\n", strrchr(real, '/') + 1);
	put(ENABLED, "Y\n");
	put(LOADED, loaded);
	put(profile(""), "profile sh /bin/sh {\n}\n");
	take(profile("local/"));
	return 0;
}

static void
warn_confined_says_so(void **state)
{
	(void)state;
	assert_true(warned());
}

static void
warn_by_path_says_so(void **state)
{
	char real[256], loaded[300];

	(void)state;
	assert_non_null(realpath("/bin/sh", real));
	snprintf(loaded, sizeof(loaded), "%s (enforce)\n", real);
	put(LOADED, loaded);
	assert_true(warned());
}

static void
warn_list_unreadable_goes_by_file(void **state)
{
	(void)state;
	take(LOADED);
	assert_true(warned());
}

static void
warn_off_or_complaining_is_silent(void **state)
{
	char real[256], loaded[300];

	(void)state;
	put(ENABLED, "N\n");
	assert_false(warned());
	put(ENABLED, "Y\n");
	assert_non_null(realpath("/bin/sh", real));
	snprintf(loaded, sizeof(loaded), "%s (complain)\n%sx (enforce)\n", strrchr(real, '/') + 1,
		real);
	put(LOADED, loaded);
	assert_false(warned());
}

static void
warn_no_profile_is_silent(void **state)
{
	(void)state;
	take(profile(""));
	assert_false(warned());
}

static void
warn_allowed_already_is_silent(void **state)
{
	(void)state;
	put(profile("local/"), "/usr/local/lib/libvale-*.so mr,\n");
	assert_false(warned());
}

static void
rules_name_all_that_is_needed(void **state)
{
	char text[1024] = {0};
	FILE *f = fmemopen(text, sizeof(text) - 1, "w");

	(void)state;
	exec_apparmor_rules(f, "/opt/vale/lib/libvale-netmap.so", "/run/vale/x.sock");
	fclose(f);
	assert_non_null(strstr(text, "\n  /opt/vale/lib/libvale-*.so mr,\n"));
	assert_non_null(strstr(text, "\n  /run/vale/x.sock rw,\n"));
	assert_non_null(strstr(text, "\n  unix type=seqpacket,\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(warn_confined_says_so, tree),
		cmocka_unit_test_setup(warn_by_path_says_so, tree),
		cmocka_unit_test_setup(warn_list_unreadable_goes_by_file, tree),
		cmocka_unit_test_setup(warn_off_or_complaining_is_silent, tree),
		cmocka_unit_test_setup(warn_no_profile_is_silent, tree),
		cmocka_unit_test_setup(warn_allowed_already_is_silent, tree),
		cmocka_unit_test(rules_name_all_that_is_needed),
	};
	char remove_tree[64];
	int ret;

	if (mkdtemp(root) == NULL)
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(remove_tree, sizeof(remove_tree), "rm -r %s", root);
	return system(remove_tree) != 0 ? 1 : ret;
}
