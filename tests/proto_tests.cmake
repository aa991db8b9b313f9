nearshelf_test(unit/test_wire_frame.c LABEL unit DEPS wire)
nearshelf_test(unit/test_wire_reader.c LABEL unit DEPS wire m)
nearshelf_test(unit/test_wire_writer.c LABEL unit DEPS wire PkgConfig::MSGPACK)
nearshelf_test(unit/test_wire_readme.c LABEL unit DEPS wire PkgConfig::MSGPACK
  ARGS ${PROJECT_SOURCE_DIR}/proto/README.md)
nearshelf_test(model/test_wire_model.c LABEL model DEPS wire PkgConfig::MSGPACK)
nearshelf_test(fuzz/fuzz_frame.c LABEL fuzz DEPS wire
  ARGS ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/frame)
if(NEARSHELF_FUZZ)
  # clang only: fuzz_frame_run <folder for what it finds> <corpus> -max_total_time=60.
  # It compiles the sources of wire itself: instrumented for it and for nothing else.
  set(wire_folder ${PROJECT_SOURCE_DIR}/proto)
  add_executable(fuzz_frame_run fuzz/fuzz_frame.c ${wire_folder}/frame.c ${wire_folder}/names.c
    ${wire_folder}/reader.c ${wire_folder}/reader_error.c ${wire_folder}/reader_value.c
    ${wire_folder}/utf8.c)
  target_include_directories(fuzz_frame_run PRIVATE ${wire_folder})
  target_compile_definitions(fuzz_frame_run PRIVATE FUZZ_ENGINE)
  target_compile_options(fuzz_frame_run PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_frame_run PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz_frame_run PRIVATE base m nearshelf_flags)
endif()
