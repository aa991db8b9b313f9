# Tests of engine/service: requests through a port without sockets. Append yours.
add_library(service_harness STATIC support/service_harness.c)
target_include_directories(service_harness PUBLIC support)
target_link_libraries(service_harness PUBLIC service PkgConfig::JANSSON PRIVATE nearshelf_flags)

add_library(ask_stream STATIC support/ask_stream.c)
target_include_directories(ask_stream PUBLIC support)
target_link_libraries(ask_stream PUBLIC base service_harness PRIVATE nearshelf_flags)

nearshelf_test(unit/test_service_stock.c LABEL unit DEPS service_harness)
nearshelf_test(unit/test_service_load.c LABEL unit DEPS service_harness)
nearshelf_test(unit/test_service_network.c LABEL unit DEPS service_harness)
nearshelf_test(model/test_service_books.c LABEL model TIMEOUT 60 DEPS service_harness)
nearshelf_test(model/test_batches.c LABEL model TIMEOUT 60 DEPS ask_stream)
nearshelf_test(unit/test_service_order.c LABEL unit DEPS service_harness)
nearshelf_test(unit/test_service_clock.c LABEL unit DEPS service_harness)
nearshelf_test(unit/test_config.c LABEL unit DEPS config)
target_compile_definitions(test_config PRIVATE
  EXAMPLE_FILE="${PROJECT_SOURCE_DIR}/engine/nearshelf.example.conf")
nearshelf_test(unit/test_ask_quick.c LABEL unit TIMEOUT 60 DEPS service)
target_include_directories(test_ask_quick PRIVATE ${PROJECT_SOURCE_DIR}/engine/service)
nearshelf_test(unit/test_service_documents.c LABEL unit DEPS service_harness)
nearshelf_test(unit/test_service_replan.c LABEL unit DEPS service_harness)
nearshelf_test(unit/test_service_channels.c LABEL unit DEPS service_harness)
