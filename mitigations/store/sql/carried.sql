-- The scenarios a run was made with. The lock names its pack's hash.
select document from pack_version
where pack_hash = (
    select json_extract_string(lock, '$.scenarios.pack_hash') from plan
    where hash = (select plan from run where run = $run)
)
