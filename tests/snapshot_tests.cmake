add_library(tables_sample STATIC support/tables_sample.c)
target_include_directories(tables_sample PUBLIC support)
target_link_libraries(tables_sample PUBLIC table PRIVATE nearshelf_flags)

nearshelf_test(unit/test_snapshot.c LABEL unit TIMEOUT 60
  DEPS snapshot log_sim image_memory tables_sample
  ARGS ${PROJECT_SOURCE_DIR}/tests/golden/snapshot-v1.hex)
