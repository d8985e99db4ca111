/* SPDX-License-Identifier: Apache-2.0 */
#include "base/zone.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/test_support.h"

/* Writes TZif files: a first part without data, then the 64-bit one. */
struct change {
  int64_t instant;
  uint8_t type;
};

static void header(struct lb_buf *out, uint32_t times, uint32_t types, uint32_t leaps) {
  lb_buf_append_text(out, "TZif2");
  for (int i = 0; i < 15; i++) lb_buf_append_u8(out, 0);
  lb_buf_append_be32(out, 0);
  lb_buf_append_be32(out, 0);
  lb_buf_append_be32(out, leaps);
  lb_buf_append_be32(out, times);
  lb_buf_append_be32(out, types);
  lb_buf_append_be32(out, types > 0 ? 4 : 0);
}

static void file(struct lb_buf *out, const struct change *changes, uint32_t count,
                 const int32_t *offsets, uint32_t types, const char *footer) {
  lb_buf_init(out, LB_MEM_TEST, LB_ZONE_FILE_MAX);
  header(out, 0, 0, 0);
  header(out, count, types, 0);
  for (uint32_t i = 0; i < count; i++) {
    lb_buf_append_be64(out, (uint64_t)changes[i].instant);
  }
  for (uint32_t i = 0; i < count; i++) lb_buf_append_u8(out, changes[i].type);
  for (uint32_t i = 0; i < types; i++) {
    lb_buf_append_be32(out, (uint32_t)offsets[i]);
    lb_buf_append_be16(out, 0);
  }
  if (types > 0) lb_buf_append(out, "ABC", 4);
  lb_buf_append_u8(out, '\n');
  lb_buf_append_text(out, footer);
  lb_buf_append_u8(out, '\n');
}

static struct lb_zone *parsed(const struct change *changes, uint32_t count,
                              const int32_t *offsets, uint32_t types,
                              const char *footer) {
  struct lb_buf bytes;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_zone *zone = NULL;
  file(&bytes, changes, count, offsets, types, footer);
  enum lb_status status =
      lb_zone_parse(LB_STR("Test/Zone"), bytes.data, bytes.len, &zone, &err);
  if (status != LB_OK) print_message("%s\n", err.message);
  assert_int_equal(status, LB_OK);
  lb_buf_reset(&bytes);
  return zone;
}

static int64_t offset_at(const struct lb_zone *zone, int64_t local_s) {
  struct lb_zone_hint hint = {0};
  int64_t alone = lb_zone_offset(zone, local_s, &hint);
  /* What the hint says of its whole interval is what looking up finds. */
  if (hint.from != INT64_MIN) {
    struct lb_zone_hint other = {0};
    assert_int_equal(lb_zone_offset(zone, hint.from, &other), alone);
  }
  if (hint.until != INT64_MAX) {
    struct lb_zone_hint other = {0};
    assert_int_equal(lb_zone_offset(zone, hint.until - 1, &other), alone);
  }
  return alone;
}

/* 2024-03-31 01:00 and 2024-10-27 01:00 UTC. */
#define SPRING INT64_C(1711846800)
#define AUTUMN INT64_C(1729990800)
#define EU "CET-1CEST,M3.5.0,M10.5.0/3"
static const int32_t eu_offsets[] = {3208, 3600, 7200};

static void test_local_boundaries(void **state) {
  (void)state;
  const struct change changes[] = {{0, 1}, {SPRING, 2}, {AUTUMN, 1}};
  struct lb_zone *zone = parsed(changes, 3, eu_offsets, 3, EU);
  /* The first type holds before everything. */
  assert_int_equal(offset_at(zone, INT64_C(-62135596800)), 3208);
  assert_int_equal(offset_at(zone, 3599), 3208);
  assert_int_equal(offset_at(zone, 3600), 3600);
  /* 02:00 to 03:00 is left out: what lies there moves on by the gap. */
  assert_int_equal(offset_at(zone, SPRING + 3600), 3600);
  assert_int_equal(offset_at(zone, SPRING + 7199), 3600);
  assert_int_equal(offset_at(zone, SPRING + 7200), 7200);
  /* 02:00 to 03:00 is there twice: the earlier one. */
  assert_int_equal(offset_at(zone, AUTUMN + 3600), 7200);
  assert_int_equal(offset_at(zone, AUTUMN + 7199), 7200);
  assert_int_equal(offset_at(zone, AUTUMN + 7200), 3600);
  lb_zone_destroy(zone);
}

static void test_the_last_rule_goes_on(void **state) {
  (void)state;
  const struct change changes[] = {{0, 1}, {SPRING, 2}, {AUTUMN, 1}};
  struct lb_zone *zone = parsed(changes, 3, eu_offsets, 3, EU);
  /* 2025-03-30 01:00 UTC, 2025-10-26 01:00 UTC, and 7,600 years later. */
  const int64_t starts[] = {INT64_C(1743296400),
                            INT64_C(1743296400) + 19 * INT64_C(12622780800)};
  const int64_t ends[] = {INT64_C(1761440400),
                          INT64_C(1761440400) + 19 * INT64_C(12622780800)};
  for (size_t i = 0; i < LB_ARRAY_LEN(starts); i++) {
    assert_int_equal(offset_at(zone, starts[i] + 7199), 3600);
    assert_int_equal(offset_at(zone, starts[i] + 7200), 7200);
    assert_int_equal(offset_at(zone, ends[i] + 7199), 7200);
    assert_int_equal(offset_at(zone, ends[i] + 7200), 3600);
  }
  lb_zone_destroy(zone);
}

static void test_rules_of_all_kinds(void **state) {
  (void)state;
  const struct change changes[] = {{0, 0}};
  const int32_t offsets[] = {-10800};
  /* Southern summer over New Year, quoted names, a time before midnight. */
  struct lb_zone *zone = parsed(changes, 1, offsets, 1, "<-03>3<-02>,M10.3.0/0,J60/-1");
  /* 2030-10-20 00:00 and the 23:00 before 2031-03-01, in local time. */
  assert_int_equal(offset_at(zone, INT64_C(1918684800) + 3599), -10800);
  assert_int_equal(offset_at(zone, INT64_C(1918684800) + 3600), -7200);
  assert_int_equal(offset_at(zone, INT64_C(1930086000) - 1), -7200);
  assert_int_equal(offset_at(zone, INT64_C(1930086000)), -10800);
  lb_zone_destroy(zone);
  /* Day 59 is February 29 in a leap year (2032) and March 1 else. */
  zone = parsed(changes, 1, offsets, 1, "ABC3DEF,59/0,300/0");
  assert_int_equal(offset_at(zone, INT64_C(1961625600) + 3600), -7200);
  assert_int_equal(offset_at(zone, INT64_C(1961625600) - 1), -10800);
  lb_zone_destroy(zone);
}

static void test_without_rule_the_last_offset_stays(void **state) {
  (void)state;
  const struct change changes[] = {{0, 1}};
  const char *footers[] = {"", "CET-1"};
  for (size_t i = 0; i < LB_ARRAY_LEN(footers); i++) {
    struct lb_zone *zone = parsed(changes, 1, eu_offsets, 3, footers[i]);
    assert_int_equal(offset_at(zone, INT64_C(253402300799)), 3600);
    lb_zone_destroy(zone);
  }
}

static void test_names_of_offsets(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t offset;
    const char *arrow;
  } rows[] = {
      {"Z", 0, "UTC"},
      {"UTC", 0, "UTC"},
      {"GMT", 0, "UTC"},
      {"+02:00", 7200, "+02:00"},
      {"-08:30", -30600, "-08:30"},
      {"UTC+5", 18000, "+05:00"},
      {"GMT-1", -3600, "-01:00"},
      {"+00:00", 0, "UTC"},
      {"+01:02:03", 3723, "UTC"},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct lb_zone *zone = NULL;
    assert_int_equal(lb_zone_find(lb_str_from(rows[i].name), &zone, &err), LB_OK);
    assert_int_equal(offset_at(zone, 0), rows[i].offset);
    assert_string_equal(lb_zone_name(zone), rows[i].arrow);
    lb_zone_destroy(zone);
  }
}

static void test_names_that_are_none(void **state) {
  (void)state;
  static const char *names[] = {"",        "../../etc/passwd", "/etc/localtime",
                                "No/Such", "Europe",           "+25:00",
                                "UTC+",    "Europe/Ber lin",   "a.b",
                                "+02:00x"};
  for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct lb_zone *zone = NULL;
    assert_int_equal(lb_zone_find(lb_str_from(names[i]), &zone, &err), LB_NOT_FOUND);
    assert_non_null(strstr(err.message, "spark.sql.session.timeZone"));
    assert_null(zone);
  }
}

/* Beyond every calendar: a rule that goes on from there would overflow. */
static void test_instants_beyond_the_calendar(void **state) {
  (void)state;
  static const int64_t far[] = {INT64_MAX, INT64_MAX - 86400 * 400, INT64_MAX / 2,
                                (int64_t)1 << 60};
  for (size_t i = 0; i < LB_ARRAY_LEN(far); i++) {
    const struct change changes[] = {{SPRING, 2}, {far[i], 1}};
    struct lb_buf bytes;
    struct lb_error err = LB_ERROR_INIT;
    struct lb_zone *zone = NULL;
    file(&bytes, changes, 2, eu_offsets, 3, EU);
    LB_TEST_FAILS(LB_INVALID_DATA,
                  lb_zone_parse(LB_STR("x"), bytes.data, bytes.len, &zone, &err), &err);
    lb_buf_reset(&bytes);
  }
  /* Before every calendar there is one offset; old files begin so. */
  const struct change changes[] = {{-((int64_t)1 << 59), 0}, {SPRING, 2}};
  struct lb_zone *zone = parsed(changes, 2, eu_offsets, 3, EU);
  assert_int_equal(offset_at(zone, INT64_MIN / 4), eu_offsets[0]);
  (void)offset_at(zone, INT64_MAX);
  (void)offset_at(zone, INT64_MIN);
  lb_zone_destroy(zone);
}

static void test_damaged_files(void **state) {
  (void)state;
  struct lb_buf bytes;
  const struct change changes[] = {{0, 1}, {SPRING, 2}, {AUTUMN, 1}};
  file(&bytes, changes, 3, eu_offsets, 3, EU);
  struct lb_error err = LB_ERROR_INIT;
  struct lb_zone *zone = NULL;
  for (size_t len = 0; len < bytes.len; len++) {
    assert_int_equal(lb_zone_parse(LB_STR("x"), bytes.data, len, &zone, &err),
                     LB_INVALID_DATA);
  }
  /* Any single byte may be anything: a zone or an error, never a crash. */
  for (size_t at = 0; at < bytes.len; at += lb_test_step(bytes.len, 40)) {
    uint8_t kept = bytes.data[at];
    for (int change = 1; change < 256; change += 50) {
      bytes.data[at] = (uint8_t)(kept + change);
      if (lb_zone_parse(LB_STR("x"), bytes.data, bytes.len, &zone, &err) == LB_OK) {
        offset_at(zone, SPRING * 9);
        lb_zone_destroy(zone);
      }
    }
    bytes.data[at] = kept;
  }
  lb_buf_reset(&bytes);
  static const char *footers[] = {"CET",
                                  "CET-1CEST",
                                  "CET-1CEST,M3.5.0",
                                  "CET-1CEST,M13.5.0,M10.5.0",
                                  "C-1",
                                  "CET-1CEST,J0,J9",
                                  "CET-1CEST,M3.5.0,M10.5.0/300"};
  for (size_t i = 0; i < LB_ARRAY_LEN(footers); i++) {
    file(&bytes, changes, 3, eu_offsets, 3, footers[i]);
    assert_int_equal(lb_zone_parse(LB_STR("x"), bytes.data, bytes.len, &zone, &err),
                     LB_INVALID_DATA);
    lb_buf_reset(&bytes);
  }
}

static void torture_parse(const struct lb_buf *bytes) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_zone *zone = NULL;
  enum lb_status status =
      lb_zone_parse(LB_STR("x"), bytes->data, bytes->len, &zone, &err);
  lb_zone_destroy(zone);
  LB_TEST_OOM_OR_OK(status, &err);
}

static void torture_find(void) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_zone *zone = NULL;
  enum lb_status status = lb_zone_find(LB_STR("+02:00"), &zone, &err);
  lb_zone_destroy(zone);
  LB_TEST_OOM_OR_OK(status, &err);
}

static void test_out_of_memory(void **state) {
  (void)state;
  const struct change changes[] = {{0, 1}, {SPRING, 2}, {AUTUMN, 1}};
  struct lb_buf bytes;
  file(&bytes, changes, 3, eu_offsets, 3, EU);
  LB_TEST_TORTURE(torture_parse(&bytes));
  LB_TEST_TORTURE(torture_find());
  lb_buf_reset(&bytes);
}

LB_TEST_MAIN(LB_TEST(test_out_of_memory), LB_TEST(test_local_boundaries),
             LB_TEST(test_the_last_rule_goes_on), LB_TEST(test_rules_of_all_kinds),
             LB_TEST(test_without_rule_the_last_offset_stays),
             LB_TEST(test_names_of_offsets), LB_TEST(test_names_that_are_none),
             LB_TEST(test_instants_beyond_the_calendar), LB_TEST(test_damaged_files))
