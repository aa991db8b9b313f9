add_library(log_fixture STATIC support/log_fixture.c)
target_include_directories(log_fixture PUBLIC support)
target_link_libraries(log_fixture PUBLIC log log_sim PRIVATE nearshelf_flags)

nearshelf_test(unit/test_wal_disk.c LABEL integration DEPS log_fixture TIMEOUT 120)
nearshelf_test(unit/test_wal.c LABEL unit DEPS log_fixture)
nearshelf_test(unit/test_wal_damage.c LABEL unit DEPS log_fixture TIMEOUT 60)
nearshelf_test(unit/test_wal_format.c LABEL unit DEPS log_fixture
  ARGS ${CMAKE_SOURCE_DIR}/engine/log/README.md ${CMAKE_SOURCE_DIR}/tests/golden/log-v1.hex)
