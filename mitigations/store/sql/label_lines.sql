select n from label_draw where run = $run union all select n from label where run = $run
