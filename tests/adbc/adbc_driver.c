/* SPDX-License-Identifier: Apache-2.0 */
/* adbc-driver: the table of functions, its two sizes, and AdbcDriverInitFunc. */
#include "conform.h"

AdbcStatusCode AdbcDriverInit(int version, void *driver, struct AdbcError *error);
AdbcStatusCode AdbcDriverLakebeatInit(int version, void *driver, struct AdbcError *error);

#define FIRST_FUNCTION offsetof(struct AdbcDriver, release)

static void check_filled(const void *driver, size_t size) {
  for (size_t at = FIRST_FUNCTION; at < size; at += sizeof(void *)) {
    void *slot;
    memcpy(&slot, (const char *)driver + at, sizeof(slot));
    CHECK(slot && "an application without a driver manager would jump to NULL");
  }
}

static void test_init_fills_every_function(void) {
  struct AdbcDriver *driver = exactly(ADBC_DRIVER_1_1_0_SIZE);
  OK(AdbcDriverInit(ADBC_VERSION_1_1_0, driver, &e2e_error));
  check_filled(driver, ADBC_DRIVER_1_1_0_SIZE);
  OK(driver->release(driver, &e2e_error));
  CHECK(!driver->private_data && !driver->release);
  free(driver);
}

static void test_init_of_1_0_0_touches_the_short_struct_alone(void) {
  void *driver = exactly(ADBC_DRIVER_1_0_0_SIZE);
  OK(AdbcDriverInit(ADBC_VERSION_1_0_0, driver, &e2e_error));
  check_filled(driver, ADBC_DRIVER_1_0_0_SIZE);
  free(driver);
  /* The same where the caller owns the long struct: the rest stays as it is. */
  unsigned char whole[sizeof(struct AdbcDriver)];
  memset(whole, 0xa5, sizeof(whole));
  OK(AdbcDriverInit(ADBC_VERSION_1_0_0, whole, &e2e_error));
  for (size_t i = ADBC_DRIVER_1_0_0_SIZE; i < sizeof(whole); i++) {
    CHECK(whole[i] == 0xa5);
  }
}

/* A whole life through the functions of 1.0.0, with errors of its size. */
static void test_a_1_0_0_application_runs(void) {
  struct AdbcDriver *drv = exactly(ADBC_DRIVER_1_0_0_SIZE);
  struct AdbcError *err = exactly(ADBC_ERROR_1_0_0_SIZE);
  OK(AdbcDriverLakebeatInit(ADBC_VERSION_1_0_0, drv, NULL));
  struct AdbcDatabase db = {0};
  struct AdbcConnection conn = {0};
  struct AdbcStatement stmt = {0};
  struct ArrowArrayStream stream = {0};
  GIVES(ADBC_STATUS_OK, drv->DatabaseNew(&db, err));
  GIVES(INVALID_ARGUMENT, drv->DatabaseSetOption(&db, "databricks.port", "no", err));
  CHECK(err->message && err->release);
  GIVES(ADBC_STATUS_OK, drv->DatabaseSetOption(&db, "databricks.port", NULL, err));
  GIVES(ADBC_STATUS_OK,
        drv->DatabaseSetOption(&db, "uri", getenv("LAKEBEAT_TEST_URI"), err));
  GIVES(ADBC_STATUS_OK, drv->DatabaseSetOption(&db, "databricks.access_token",
                                               getenv("LAKEBEAT_TEST_TOKEN"), err));
  GIVES(ADBC_STATUS_OK, drv->DatabaseInit(&db, err));
  GIVES(ADBC_STATUS_OK, drv->ConnectionNew(&conn, err));
  GIVES(ADBC_STATUS_OK, drv->ConnectionInit(&conn, &db, err));
  GIVES(ADBC_STATUS_OK, drv->StatementNew(&conn, &stmt, err));
  GIVES(ADBC_STATUS_OK, drv->StatementSetSqlQuery(&stmt, "SELEC 1", err));
  GIVES(INVALID_ARGUMENT, drv->StatementExecuteQuery(&stmt, &stream, NULL, err));
  GIVES(ADBC_STATUS_OK, drv->StatementSetSqlQuery(&stmt, SIXTY, err));
  GIVES(ADBC_STATUS_OK, drv->StatementExecuteQuery(&stmt, &stream, NULL, err));
  CHECK(read_rows(&stream, NULL) == 60);
  stream.release(&stream);
  GIVES(ADBC_STATUS_OK, drv->StatementRelease(&stmt, err));
  GIVES(ADBC_STATUS_OK, drv->ConnectionRelease(&conn, err));
  GIVES(ADBC_STATUS_OK, drv->DatabaseRelease(&db, err));
  if (err->release) err->release(err);
  GIVES(ADBC_STATUS_OK, drv->release(drv, err));
  free(err);
  free(drv);
}

static void test_other_versions_are_not_implemented(void) {
  static const int versions[] = {0, -1, 1, 999999, 1000001, 1001001, 1002000, 2000000};
  struct AdbcDriver driver = {0};
  for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
    FAILS(NOT_IMPLEMENTED, AdbcDriverInit(versions[i], &driver, &e2e_error));
    GIVES(NOT_IMPLEMENTED, AdbcDriverInit(versions[i], &driver, NULL));
    CHECK(!driver.release && !driver.DatabaseNew && !driver.private_data);
  }
  /* A client may try again with another one. */
  OK(AdbcDriverInit(ADBC_VERSION_1_1_0, &driver, &e2e_error));
  OK(driver.release(&driver, &e2e_error));
}

static void test_init_wants_a_driver(void) {
  FAILS(INVALID_ARGUMENT, AdbcDriverInit(ADBC_VERSION_1_1_0, NULL, &e2e_error));
  FAILS(INVALID_ARGUMENT, AdbcDriverInit(ADBC_VERSION_1_0_0, NULL, &e2e_error));
  GIVES(INVALID_ARGUMENT, AdbcDriverInit(ADBC_VERSION_1_1_0, NULL, NULL));
}

static void test_driver_is_released_once(void) {
  struct AdbcDriver driver = {0};
  OK(AdbcDriverInit(ADBC_VERSION_1_1_0, &driver, &e2e_error));
  AdbcStatusCode (*release)(struct AdbcDriver *, struct AdbcError *) = driver.release;
  OK(release(&driver, &e2e_error));
  CHECK(!driver.private_data && !driver.private_manager);
  FAILS(INVALID_STATE, release(&driver, &e2e_error));
  FAILS(INVALID_STATE, release(NULL, &e2e_error));
}

static void test_drivers_are_independent(void) {
  struct AdbcDriver one = {0};
  struct AdbcDriver two = {0};
  OK(AdbcDriverInit(ADBC_VERSION_1_1_0, &one, &e2e_error));
  OK(AdbcDriverLakebeatInit(ADBC_VERSION_1_1_0, &two, &e2e_error));
  struct AdbcDatabase db = {0};
  OK(one.DatabaseNew(&db, &e2e_error));
  OK(one.release(&one, &e2e_error));
  OK(two.DatabaseRelease(&db, &e2e_error));
  OK(two.release(&two, &e2e_error));
}

TEST_MAIN(TEST(test_init_fills_every_function),
          TEST(test_init_of_1_0_0_touches_the_short_struct_alone),
          TEST(test_a_1_0_0_application_runs),
          TEST(test_other_versions_are_not_implemented), TEST(test_init_wants_a_driver),
          TEST(test_driver_is_released_once), TEST(test_drivers_are_independent))
